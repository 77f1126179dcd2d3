"""Replaced training images are logged once and counted, also in several processes."""

from types import SimpleNamespace

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.serialize import to_plain
from mmvitkd.engine.hooks import UnreadableImagesHook, unreadable_images_hook

import pytest
import torch
from mmengine.registry import HOOKS
from mmpretrain.structures import DataSample

A, B, C = ({f'{name}.jpg': f'why {name}'} for name in 'abc')


class Log(list):
    warning = list.append


def make_runner(world_size=1, resume=False):
    return SimpleNamespace(world_size=world_size, _resume=resume, logger=Log())


def batch(*marks):
    """A batch of samples; None is an image that was not replaced."""
    samples = []
    for mark in marks:
        sample = DataSample().set_gt_label(0)
        if mark is not None:
            sample.set_field(mark, 'unreadable', field_type='metainfo')
        samples.append(sample)
    return dict(inputs=torch.zeros(len(marks), 3, 2, 2), data_samples=samples)


def line(name):
    return f'Unreadable image, replaced: {name}.jpg: why {name}'


def test_one_process_logs_at_once_and_each_path_once():
    hook, runner = HOOKS.build(dict(type='mmvitkd.UnreadableImagesHook')), make_runner()
    hook.after_train_iter(runner, 0, batch(None, None))
    assert runner.logger == []
    hook.after_train_iter(runner, 1, batch(A, None, B))
    assert runner.logger == [line('a'), line('b')]
    hook.after_train_epoch(runner)
    hook.after_train_iter(runner, 2, batch(A | C, B))
    hook.after_train_epoch(runner)
    hook.after_train(runner)
    assert runner.logger[2:] == [
        line('c'),
        '3 unreadable training images were replaced (4 draws)',
    ]


def test_nothing_is_logged_if_all_can_be_read():
    hook, runner = UnreadableImagesHook(), make_runner()
    hook.after_train_iter(runner, 0, batch(None))
    hook.after_train_epoch(runner)
    hook.after_train(runner)
    checkpoint = {}
    hook.before_save_checkpoint(runner, checkpoint)
    assert runner.logger == [] and checkpoint == {}


@pytest.mark.parametrize(
    'data_batch', [None, [torch.zeros(1)], dict(labels=torch.zeros(1)), dict(data_samples=None)]
)
def test_batches_of_other_data(data_batch):
    UnreadableImagesHook().after_train_iter(make_runner(), 0, data_batch)


def test_a_resumed_run_continues_the_count():
    hook, runner = UnreadableImagesHook(), make_runner()
    hook.after_train_iter(runner, 0, batch(A, B))
    checkpoint = {}
    hook.before_save_checkpoint(runner, checkpoint)
    assert to_plain(checkpoint) == checkpoint
    hook.after_train_iter(runner, 1, batch(C))  # lost: it comes after the checkpoint

    hook, runner = UnreadableImagesHook(), make_runner(resume=True)
    hook.after_load_checkpoint(runner, checkpoint)
    hook.after_train_iter(runner, 1, batch(C, A))
    hook.after_train(runner)
    assert runner.logger == [line('c'), '3 unreadable training images were replaced (4 draws)']
    assert checkpoint['unreadable_images']['draws'] == 2

    hook, runner = UnreadableImagesHook(), make_runner(resume=False)
    hook.after_load_checkpoint(runner, checkpoint)  # a start from another run's weights
    hook.after_train(runner)
    assert runner.logger == []


@pytest.mark.parametrize('when', ['after_train_epoch', 'before_checkpoint', 'after_train'])
def test_two_processes_exchange_their_findings(monkeypatch, when):
    """Both then know all, and the first one's log names each path once."""
    hooks = [UnreadableImagesHook(), UnreadableImagesHook()]
    runners = [make_runner(2), make_runner(2)]
    hooks[0].after_train_iter(runners[0], 0, batch(A, None, B))
    hooks[1].after_train_iter(runners[1], 0, batch(B, C))
    assert runners[0].logger == runners[1].logger == []
    gathered = [list(hook._new) for hook in hooks]
    monkeypatch.setattr(unreadable_images_hook, 'all_gather_object', lambda own: gathered)
    for hook, runner in zip(hooks, runners, strict=True):
        getattr(hook, when)(runner)
        assert runner.logger[:3] == [line('a'), line('b'), line('c')]
    gathered[:] = [[], []]
    for hook, runner in zip(hooks, runners, strict=True):
        hook.after_train(runner)
        assert runner.logger[-1] == '3 unreadable training images were replaced (4 draws)'
        assert len(runner.logger) == (5 if when == 'after_train' else 4)
