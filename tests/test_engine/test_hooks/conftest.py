"""A toy that trains in milliseconds: every kind of random number enters its losses."""

import random
from itertools import count

import mmvitkd  # noqa: F401

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset


class Blobs(Dataset):
    """Three classes of points, jittered by Python, numpy and torch alike."""

    def __init__(self, size=8, jitter=0.5):
        generator = np.random.default_rng(0)
        self.labels = generator.integers(0, 3, size)
        self.points = generator.normal(size=(size, 4)) + self.labels[:, None]
        self.jitter = jitter

    def __len__(self):
        return len(self.points)

    def __getitem__(self, index):
        noise = random.random() + np.random.random(4) + torch.rand(4).numpy()
        point = self.points[index] + self.jitter * noise
        return dict(inputs=torch.tensor(point).float(), labels=int(self.labels[index]))


class Student(BaseModel):
    """A linear classifier with dropout."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, inputs, labels, mode='tensor'):
        logits = self.fc(F.dropout(inputs, 0.5, self.training))
        if mode == 'loss':
            loss = F.cross_entropy(logits, labels)
            return dict(loss_ce=loss, loss_norm=0.01 * self.fc.weight.square().sum())
        found = zip(logits.argmax(1).tolist(), labels.tolist(), strict=True)
        return [dict(found=f, wanted=w) for f, w in found]


class Distillation(BaseModel):
    """A student and a connector, which is trained but no part of it."""

    def __init__(self):
        super().__init__()
        self.architecture = Student()
        self.connector = nn.Linear(3, 2)

    @property
    def student(self):
        return self.architecture

    def forward(self, inputs, labels, mode='tensor'):
        out = self.student(inputs, labels, mode)
        if mode == 'loss':
            out['loss_kd'] = self.connector(self.student.fc(inputs)).square().mean()
        return out


class Accuracy(BaseMetric):
    """The accuracy, also of each class: a metric that is no scalar."""

    default_prefix = 'accuracy'

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        right = torch.tensor([r['found'] == r['wanted'] for r in results]).float()
        wanted = torch.tensor([r['wanted'] for r in results])
        by_class = torch.stack([right[wanted == i].mean() for i in range(3)])
        return dict(top1=100 * right.mean().item(), by_class=100 * by_class)


NAMES = count()


@pytest.fixture
def make_runner(tmp_path, monkeypatch):
    """Builds a runner with our default hooks; what differs is given by keyword."""
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)  # it asks for compilers
    monkeypatch.setattr('mmengine.runner.loops.time.sleep', lambda seconds: None)

    def make(
        folder='a',
        model=None,
        hooks=None,
        checkpoint=None,
        custom_hooks=None,
        max_epochs=3,
        max_iters=None,
        val_interval=1,
        workers=0,
        validate=True,
        **kwargs,
    ):
        def loader(size, shuffle, jitter):
            return dict(
                dataset=Blobs(size, jitter),
                sampler=dict(type='DefaultSampler', shuffle=shuffle),
                collate_fn=dict(type='default_collate'),
                batch_size=2,
                num_workers=workers,
            )

        loop = dict(by_epoch=True, max_epochs=max_epochs, val_interval=val_interval)
        if max_iters is not None:
            loop = dict(by_epoch=False, max_iters=max_iters, val_interval=val_interval)
        default_hooks = dict(
            logger=dict(type='LoggerHook', interval=2),
            checkpoint=dict(
                type='mmvitkd.CheckpointHook',
                interval=1,
                by_epoch=max_iters is None,
                **(checkpoint or {}),
            ),
            random_state=dict(type='mmvitkd.RandomStateHook'),
            finite_loss=dict(type='mmvitkd.FiniteLossHook'),
        )
        validation = dict(
            val_dataloader=loader(6, False, 0.5),
            val_cfg=dict(),
            val_evaluator=dict(type=Accuracy),
        )
        return Runner(
            model=model or Student(),
            work_dir=str(tmp_path / folder),
            train_dataloader=loader(8, True, 0.5),
            train_cfg=loop,
            **(validation if validate else {}),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.05)),
            param_scheduler=dict(type='CosineAnnealingLR', by_epoch=True, T_max=5),
            default_hooks=default_hooks | (hooks or {}),
            custom_hooks=custom_hooks,
            default_scope='mmpretrain',
            randomness=dict(seed=0),
            experiment_name=f'toy_{next(NAMES)}',
            log_level='ERROR',
            **kwargs,
        )

    return make
