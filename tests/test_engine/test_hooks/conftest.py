"""A toy run of milliseconds whose losses depend on every random generator."""

import os
import random
from itertools import count

from mmvitkd.engine.runner import Runner

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from torch import multiprocessing, nn
from torch.utils.data import Dataset


@DATASETS.register_module()
class ToyPoints(Dataset):
    """Points of three classes, with noise of Python, numpy and torch."""

    def __init__(self, size, shake):
        generator = np.random.default_rng(0)
        self.labels = np.arange(size) % 3
        self.points = generator.normal(size=(size, 4)) + self.labels[:, None]
        self.shake = shake

    def __len__(self):
        return len(self.points)

    def __getitem__(self, index):
        drawn = [random.random(), np.random.random(), torch.rand(1).item(), 0]
        point = torch.tensor(self.points[index] + self.shake * np.array(drawn))
        label = int(self.labels[index])
        return dict(inputs=point.float(), labels=label, drawn=torch.tensor(drawn[:3]))


@MODELS.register_module()
class ToyStudent(BaseModel):
    """A linear classifier with dropout.

    Its cross-entropy is bad from training step ``bad_from`` on, counted from 1; it has one
    loss more from step ``extra_from`` on.
    """

    def __init__(self, bad_from=None, bad=float('nan'), extra_from=None):
        super().__init__()
        self.fc = nn.Linear(4, 3)
        self.register_buffer('calls', torch.tensor(0))
        self.bad_from, self.bad, self.extra_from = bad_from, bad, extra_from

    def forward(self, inputs, labels, drawn, mode='tensor'):
        logits = self.fc(F.dropout(inputs, 0.5, self.training))
        if mode == 'loss':
            return self.loss(logits, labels)
        found = zip(logits.argmax(1).tolist(), labels.tolist(), strict=True)
        return [dict(found=f, wanted=w) for f, w in found]

    def loss(self, logits, labels):
        self.calls += 1
        losses = dict(
            loss_ce=F.cross_entropy(logits, labels),
            loss_norm=0.01 * self.fc.weight.square().sum(),
            accuracy=(logits.argmax(1) == labels).float().mean(),
        )
        if self.bad_from is not None and self.calls >= self.bad_from:
            losses['loss_ce'] = losses['loss_ce'] * self.bad
        if self.extra_from is not None and self.calls >= self.extra_from:
            losses['loss_extra'] = logits.square().mean()
        return losses


@MODELS.register_module()
class ToyDistillation(BaseModel):
    """A student, and a connector that is trained but no part of it."""

    def __init__(self):
        super().__init__()
        self.architecture = ToyStudent()
        self.connector = nn.Linear(3, 2)

    @property
    def student(self):
        return self.architecture

    def forward(self, inputs, labels, drawn, mode='tensor'):
        out = self.student(inputs, labels, drawn, mode)
        if mode == 'loss':
            out['loss_kd'] = self.connector(self.student.fc(inputs)).square().mean()
        return out


@METRICS.register_module()
class ToyAccuracy(BaseMetric):
    """The accuracy, and that of each class, which is no scalar."""

    default_prefix = 'accuracy'

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        right = torch.tensor([r['found'] == r['wanted'] for r in results]).float()
        wanted = torch.tensor([r['wanted'] for r in results])
        by_class = torch.stack([right[wanted == i].mean() for i in range(3)])
        return dict(top1=100 * right.mean().item(), by_class=100 * by_class)


@METRICS.register_module()
class ToyScript(BaseMetric):
    """Return one given value after the other, whatever the model does."""

    default_prefix = 'accuracy'

    def __init__(self, values):
        super().__init__()
        self.values = iter(values)

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        return dict(top1=next(self.values))


NAMES = count()


@pytest.fixture
def make_runner(tmp_path, monkeypatch):
    """Build a run with our hooks, 4 iterations per epoch; keywords change it."""
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)  # it calls compilers
    monkeypatch.setattr('os.fsync', lambda file: None)  # seconds on a busy disk

    def make(
        folder='run',
        model='ToyStudent',
        epochs=3,
        iters=None,
        validate=True,
        workers=0,
        persistent=False,
        scores=None,
        checkpoint=None,
        log_interval=2,
        ignore_last=True,
        runtime_info='mmvitkd.RuntimeInfoHook',
        resume=None,
        **kwargs,
    ) -> Runner:
        def loader(size, batch_size, shuffle, shake, **kwargs):
            return dict(
                dataset=dict(type='ToyPoints', size=size, shake=shake),
                sampler=dict(type='DefaultSampler', shuffle=shuffle),
                collate_fn=dict(type='default_collate'),
                batch_size=batch_size,
                **kwargs,
            )

        loop = dict(by_epoch=True, max_epochs=epochs, val_interval=1)
        if iters is not None:
            loop = dict(by_epoch=False, max_iters=iters, val_interval=1)
        metric = dict(type='ToyScript', values=scores) if scores else dict(type='ToyAccuracy')
        validation = dict(
            val_cfg=dict(), val_dataloader=loader(30, 10, False, 0.0), val_evaluator=metric
        )
        hooks = dict(
            runtime_info=dict(type=runtime_info),
            logger=dict(type='LoggerHook', interval=log_interval, ignore_last=ignore_last),
            checkpoint=dict(type='mmvitkd.CheckpointHook', interval=1, by_epoch=iters is None)
            | (checkpoint or {}),
            random_state=dict(type='mmvitkd.RandomStateHook'),
            finite_loss=dict(type='mmvitkd.FiniteLossHook'),
        )
        arguments = dict(
            model=dict(type=model) if isinstance(model, str) else model,
            work_dir=str(tmp_path / folder),
            train_dataloader=loader(
                8, 2, True, 0.5, num_workers=workers, persistent_workers=persistent
            ),
            train_cfg=loop,
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.1)),
            param_scheduler=dict(type='StepLR', step_size=5, gamma=0.5, by_epoch=False),
            default_hooks=hooks,
            default_scope='mmpretrain',
            randomness=dict(seed=0),
            experiment_name=f'toy_{next(NAMES)}',
            log_level='ERROR',
            resume=resume is not None,
            load_from=None if resume is True else resume,
        )
        return Runner(**arguments | (validation if validate else {}) | kwargs)

    return make


@pytest.fixture
def scalars():
    """Collect what a run has logged: name -> all values, without the times, which differ."""

    def read(runner) -> dict[str, list[float]]:
        return {
            name: buffer.data[0].tolist()
            for name, buffer in runner.message_hub.log_scalars.items()
            if 'time' not in name
        }

    return read


def _begin(rank, function, folder):
    """Join the two processes and run a function in both."""
    torch.set_num_threads(1)
    os.chdir(folder)  # MMEngine gathers metrics through a folder there
    os.environ['LOCAL_RANK'] = str(rank)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2
    )
    function(rank)


@pytest.fixture
def run_twice(tmp_path):
    """Run function(rank) in two processes on gloo; return their exit codes."""
    if torch.cuda.is_available():
        pytest.skip('CUDA does not survive a fork')
    context = multiprocessing.get_context('fork')

    def run(function) -> list[int]:
        arguments = [(rank, function, tmp_path) for rank in range(2)]
        processes = [context.Process(target=_begin, args=a, daemon=True) for a in arguments]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        return [process.exitcode for process in processes]

    return run


@pytest.fixture
def distributed():
    """Arguments of a run in several processes on CPUs."""
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    return dict(launcher='pytorch', cfg=dict(model_wrapper_cfg=wrapper))
