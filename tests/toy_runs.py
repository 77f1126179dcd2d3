"""A toy run of milliseconds whose losses depend on every random generator."""

import random
from itertools import count
from pathlib import Path

from mmvitkd.engine.runner import Runner

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS
from torch import nn
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


def build_run(
    work_dir: Path,
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
    """Build a run with our hooks, 4 iterations per epoch; keywords change it."""

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
        preemption=dict(type='mmvitkd.PreemptionHook'),
        disk_full=dict(type='mmvitkd.DiskFullHook'),
    )
    arguments = dict(
        model=dict(type=model) if isinstance(model, str) else model,
        work_dir=str(work_dir),
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
        resume=resume if resume == 'auto' else resume is not None,
        load_from=None if resume in (True, 'auto') else resume,
    )
    return Runner(**arguments | (validation if validate else {}) | kwargs)
