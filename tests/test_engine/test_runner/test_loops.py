"""The loops start at any batch, with any loader."""

import mmvitkd  # noqa: F401
from mmvitkd.engine.runner.loops import batches_from, num_passes

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.hooks import Hook
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler


class Pairs(BatchSampler):
    """A batch sampler of the user's own: the batches in reverse order."""

    def __iter__(self):
        return iter(list(super().__iter__())[::-1])


def loader_of(batch_sampler=BatchSampler, **kwargs):
    data = torch.arange(10)
    return DataLoader(
        data, batch_sampler=batch_sampler(SequentialSampler(data), 2, False), **kwargs
    )


@pytest.mark.parametrize('batch_sampler', [BatchSampler, Pairs])
@pytest.mark.parametrize('workers', [dict(num_workers=0), dict(num_workers=1)], ids=str)
@pytest.mark.parametrize('start', [0, 1, 4, 5])
def test_batches_are_left_out_once_and_not_loaded(batch_sampler, workers, start):
    loader = loader_of(batch_sampler, **workers)
    whole = [batch.tolist() for batch in loader_of(batch_sampler)]
    assert [batch.tolist() for batch in batches_from(loader, start)] == whole[start:]
    assert [batch.tolist() for batch in loader] == whole


def test_with_persistent_workers_too():
    loader = loader_of(num_workers=1, persistent_workers=True)
    found = [[batch.tolist() for batch in batches_from(loader, start)] for start in (3, 0)]
    assert [len(batches) for batches in found] == [2, 5]
    loader._iterator._shutdown_workers()


def test_a_loader_without_batches_is_refused(make_runner):
    runner = make_runner(iters=4)
    runner._train_dataloader |= dict(batch_size=9, drop_last=True)
    with pytest.raises(ValueError, match=r'train_dataloader: found 8 images.*batch_size=9'):
        runner.train()


class Sees(Hook):
    def __init__(self):
        self.labels = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.labels += data_batch['labels'].tolist()


def test_a_loader_of_the_users_own_is_shuffled_in_every_pass(make_runner):
    data = [dict(inputs=torch.zeros(4), labels=index % 3, drawn=index) for index in range(8)]
    loader = DataLoader(data, batch_size=2, sampler=DefaultSampler(data, seed=0))
    runner = make_runner(iters=8, validate=False, train_dataloader=loader)
    runner.register_hook(sees := Sees())
    runner.train()
    assert sees.labels[:8] != sees.labels[8:]


@pytest.mark.parametrize(
    ('sampler', 'loop', 'batch_size', 'passes'),
    [
        ('DefaultSampler', dict(epochs=3), 2, 3),
        ('DefaultSampler', dict(iters=8), 2, 2),
        ('DefaultSampler', dict(iters=9), 2, 3),
        ('DefaultSampler', dict(iters=9), 3, 3),  # the last of three batches has two images
        ('InfiniteSampler', dict(iters=8), 2, 2),
        ('InfiniteSampler', dict(iters=9), 3, 4),  # 27 of eight images
    ],
)
def test_the_passes_over_the_data_are_known(make_runner, sampler, loop, batch_size, passes):
    runner = make_runner(validate=False, **loop)
    runner._train_dataloader |= dict(batch_size=batch_size, sampler=dict(type=sampler))
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    assert num_passes(runner.train_loop) == passes
