"""A test keeps the hooks that act in it, and no hook that needs a training."""

import mmvitkd  # noqa: F401
from mmvitkd.engine.runner.hooks_in_test import runs_in_test

import pytest
from mmengine.hooks import EarlyStoppingHook, Hook


class Notify(Hook):
    def after_run(self, runner):
        """Send a message."""


class Both(Hook):
    def _after_iter(self, runner, batch_idx, data_batch=None, outputs=None, mode='train'):
        """In training, validation and test."""


@pytest.mark.parametrize(
    ('kind', 'runs'),
    [
        ('EarlyStoppingHook', False),
        ('ProfilerHook', False),
        ('PreciseBNHook', False),
        ('mmrazor.StopDistillHook', False),
        ('mmvitkd.SEPHook', False),
        ('EMAHook', False),
        ('mmvitkd.StudentEMAHook', False),
        (EarlyStoppingHook, False),
        ('LoggerHook', True),
        ('VisualizationHook', True),
        ('mmvitkd.WatchdogHook', True),
        (Notify, True),
        (Both, True),
        ('SomebodysHook', True),
    ],
    ids=str,
)
def test_by_its_type(kind, runs):
    assert runs_in_test(dict(type=kind)) is runs


def test_a_hook_itself():
    assert not runs_in_test(EarlyStoppingHook(monitor='loss'))
    assert runs_in_test(Notify())
