"""The same seed gives the same run, across a resume and with any validation."""

from types import SimpleNamespace

import mmvitkd  # noqa: F401
from mmvitkd.engine import RandomStateHook
from mmvitkd.utils import random_state

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import MMLogger


class Batches(Hook):
    """Keeps the random numbers of every sample: a row of three for each."""

    def __init__(self):
        self.drawn = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.drawn += data_batch['drawn'].tolist()


def _assert_same_end(found, wanted):
    for name, value in wanted.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], value), name


# Resuming -----------------------------------------------------------------------------


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('ema', [False, True])
def test_a_resumed_run_equals_the_uninterrupted_one(make_runner, scalars, workers, ema):
    hooks = [dict(type='mmvitkd.StudentEMAHook')] if ema else None
    whole = make_runner(workers=workers, custom_hooks=hooks)
    whole.train()
    assert len(set(scalars(whole)['train/loss_ce'])) == 12
    path = f'{whole.work_dir}/epoch_1.pth'
    resumed = make_runner(resume=path, workers=workers, custom_hooks=hooks)
    resumed.train()
    assert scalars(resumed) == scalars(whole)
    _assert_same_end(resumed, whole)


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('seen', [3, 4, 6])  # within a pass over the data, and at its end
def test_a_resumed_run_by_iterations_too(make_runner, scalars, workers, seen):
    whole = make_runner(iters=10, workers=workers)
    whole.train()
    path = f'{whole.work_dir}/iter_{seen}.pth'
    resumed = make_runner(iters=10, workers=workers, resume=path)
    resumed.train()
    assert scalars(resumed) == scalars(whole)
    _assert_same_end(resumed, whole)


def test_without_the_hook_a_resumed_run_differs(make_runner, scalars):
    whole = make_runner()
    whole.train()
    resumed = make_runner(resume=f'{whole.work_dir}/epoch_1.pth')
    resumed._hooks = [h for h in resumed.hooks if not isinstance(h, RandomStateHook)]
    resumed.train()
    assert scalars(resumed)['train/loss'] != scalars(whole)['train/loss']


def test_a_run_from_weights_is_seeded(make_runner, scalars):
    first = make_runner('first')
    first.train()
    second = make_runner('second', load_from=f'{first.work_dir}/epoch_1.pth')
    third = make_runner('third', load_from=f'{first.work_dir}/epoch_3.pth')
    hooks = [Batches(), Batches()]
    for runner, hook in zip([second, third], hooks, strict=True):
        runner.register_hook(hook)
        runner.train()
    assert hooks[0].drawn == hooks[1].drawn


def test_another_number_of_processes_is_logged(make_runner, monkeypatch):
    whole = make_runner()
    whole.train()
    path = f'{whole.work_dir}/epoch_1.pth'
    checkpoint = torch.load(path, weights_only=True)
    checkpoint['random_states'] *= 4
    torch.save(checkpoint, path)
    said = []
    monkeypatch.setattr(MMLogger, 'warning', lambda self, text, *args: said.append(text))
    make_runner(resume=path).train()
    assert [text for text in said if 'random states' in text] == [
        'The checkpoint holds the random states of 4 processes, but this run has 1: they '
        'are seeded anew.'
    ]


@pytest.mark.parametrize('persistent', [False, True])
@pytest.mark.parametrize('seeded', [False, True])
def test_persistent_workers_without_seeded_samples_are_logged(
    make_runner, monkeypatch, persistent, seeded
):
    said = []
    monkeypatch.setattr(MMLogger, 'warning', lambda self, text, *args: said.append(text))
    runner = make_runner(
        workers=1, persistent=persistent, epochs=1, cfg=dict(sample_seeds=seeded)
    )
    runner.train()
    getattr(runner.train_dataloader._iterator, '_shutdown_workers', lambda: None)()
    logged = 'train_dataloader.persistent_workers=True' in [t.split(':')[0] for t in said]
    assert logged == (persistent and not seeded)


# Validation ---------------------------------------------------------------------------


@pytest.mark.parametrize('length', [dict(epochs=3), dict(iters=6)], ids=str)
@pytest.mark.parametrize('ema', [False, True])
def test_validation_does_not_affect_training(make_runner, scalars, length, ema):
    hooks = [dict(type='mmvitkd.StudentEMAHook')] if ema else None
    runs = [make_runner(str(v), validate=v, custom_hooks=hooks, **length) for v in (0, 1)]
    for run in runs:
        run.train()
    without, with_it = map(scalars, runs)
    assert 'val/accuracy/top1' in with_it.keys() - without.keys()
    assert with_it['train/loss'] == without['train/loss']
    _assert_same_end(*runs)


# Streams ------------------------------------------------------------------------------


def _drawn(runner) -> list[list[float]]:
    """The numbers of Python, numpy and torch that entered the samples."""
    runner.register_hook(hook := Batches())
    runner.train()
    return [list(numbers) for numbers in zip(*hook.drawn, strict=True)]


@pytest.mark.parametrize('workers', [0, 2])
def test_every_epoch_has_other_augmentations(make_runner, workers):
    for numbers in _drawn(make_runner(epochs=3, workers=workers)):
        assert len(set(numbers)) == 3 * 8


def test_every_pass_of_a_run_by_iterations_too(make_runner):
    for numbers in _drawn(make_runner(iters=12, workers=2, validate=False)):
        assert len(set(numbers)) == 3 * 8


def test_a_sampler_without_epochs():
    loader = SimpleNamespace(batch_sampler=None)
    drawn = []
    for epoch in (0, 1):
        loop = SimpleNamespace(dataloader=loader)
        runner = SimpleNamespace(seed=0, rank=0, epoch=epoch, train_loop=loop)
        RandomStateHook().before_train_epoch(runner)
        loader.worker_init_fn(0)
        drawn += torch.rand(3).tolist()
    assert len(set(drawn)) == 6


@pytest.mark.parametrize('workers', [0, 2])
def test_another_seed_draws_other_samples(make_runner, workers):
    first, again, other = (
        _drawn(make_runner(epochs=1, workers=workers, randomness=dict(seed=seed)))
        for seed in (0, 0, 1)
    )
    for kind in range(3):
        assert first[kind] == again[kind]
        assert not set(first[kind]) & set(other[kind])


def test_two_processes(make_runner, run_twice, distributed, tmp_path):
    def train(rank):
        """Train, and train again from the first epoch."""
        runs = []
        for resume in (None, f'{tmp_path}/run/epoch_1.pth'):
            runner = make_runner(
                resume=resume,
                epochs=2,
                custom_hooks=[dict(type='mmvitkd.StudentEMAHook')],
                **distributed,
            )
            runner.register_hook(hook := Batches())
            runner.train()
            runs.append(dict(drawn=hook.drawn, end=random_state.get_state()))
        torch.save(runs, tmp_path / f'rank_{rank}.pth')

    assert run_twice(train) == [0, 0]
    drawn = []
    for rank in range(2):
        whole, resumed = torch.load(tmp_path / f'rank_{rank}.pth', weights_only=True)
        assert resumed['drawn'] == whole['drawn'][len(whole['drawn']) // 2 :]
        assert torch.equal(resumed['end']['torch'], whole['end']['torch'])
        drawn += [number for row in whole['drawn'] for number in row]
    assert len(set(drawn)) == len(drawn)  # of two ranks, two epochs and every sample
    states = torch.load(tmp_path / 'run' / 'epoch_2.pth', weights_only=True)['random_states']
    assert len(states) == 2
    assert not torch.equal(states[0]['torch'], states[1]['torch'])
