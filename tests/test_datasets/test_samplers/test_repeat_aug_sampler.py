"""Repeated augmentation against a naive implementation, over 1, 4 and 8 ranks."""

from collections import Counter

import mmvitkd  # noqa: F401
from mmvitkd.registry import DATA_SAMPLERS

import pytest
import torch
from logged import logged
from mmengine.runner import Runner
from mmpretrain.datasets import RepeatAugSampler
from mmpretrain.datasets.samplers import repeat_aug
from timm.data.distributed_sampler import RepeatAugSampler as TimmSampler

WORLDS = (1, 4, 8)
# Not a multiple of 256, nor is three times it one of 4 or 8 ranks.
NUM_IMAGES = 1003


@pytest.fixture
def build(monkeypatch):
    """Build the sampler of one rank."""

    def build(rank=0, world=1, num_images=NUM_IMAGES, **kwargs):
        monkeypatch.setattr(repeat_aug, 'get_dist_info', lambda: (rank, world))
        return DATA_SAMPLERS.build(
            dict(type='mmvitkd.RepeatAugSampler', dataset=range(num_images), **kwargs)
        )

    return build


def naive(num_images, rank, world, length, seed, epoch):
    """What papers describe, one position after the other."""
    shuffle = torch.Generator().manual_seed(seed + epoch)
    positions = []
    for index in torch.randperm(num_images, generator=shuffle):
        for _ in range(3):
            positions.append(int(index))
    first = list(positions)
    while len(positions) % world:
        positions.append(first[len(positions) - len(first)])
    if length == 'deit':
        wanted = int(num_images // 256 * 256 / world)
    else:
        wanted = -(-num_images // world)
    mine = []
    position = rank
    while len(mine) < wanted:
        mine.append(positions[position])
        position += world
    return mine


@pytest.mark.parametrize('world', WORLDS)
@pytest.mark.parametrize('length', ['full', 'deit'])
@pytest.mark.parametrize(('seed', 'epoch'), [(0, 0), (0, 7), (5, 2)])
def test_every_rank_has_its_positions(build, world, length, seed, epoch):
    for rank in range(world):
        sampler = build(rank, world, seed=seed, length=length)
        sampler.set_epoch(epoch)
        expected = naive(NUM_IMAGES, rank, world, length, seed, epoch)
        assert list(sampler) == expected
        assert len(sampler) == len(expected)


@pytest.mark.parametrize('world', WORLDS)
def test_deits_epoch_is_the_start_of_the_repeated_order(build, world):
    """All ranks together: the first 3 x 256 positions, every image three times."""
    samplers = [build(rank, world, seed=1, length='deit') for rank in range(world)]
    assert {len(sampler) for sampler in samplers} == {768 // world}
    seen = Counter(index for sampler in samplers for index in sampler)
    order = torch.randperm(NUM_IMAGES, generator=torch.Generator().manual_seed(1)).tolist()
    assert seen == Counter(dict.fromkeys(order[:256], 3))


@pytest.mark.parametrize(('world', 'ranks_of_an_image'), [(1, 1), (4, 3), (8, 3)])
def test_copies_are_on_different_ranks(build, world, ranks_of_an_image):
    ranks = {}
    for rank in range(world):
        for index in build(rank, world, seed=0, length='deit'):
            ranks.setdefault(index, set()).add(rank)
    assert {len(found) for found in ranks.values()} == {ranks_of_an_image}


def test_an_epoch_depends_only_on_seed_and_epoch(build):
    def epoch(seed, number):
        sampler = build(2, 4, seed=seed, length='deit')
        sampler.set_epoch(number)
        return list(sampler)

    assert epoch(0, 3) == epoch(0, 3)
    assert epoch(0, 3) != epoch(0, 4)
    assert epoch(0, 3) != epoch(1, 3)


@pytest.mark.parametrize('world', WORLDS)
def test_the_default_equals_mmpretrains_sampler(build, world):
    ours = build(world - 1, world, seed=3)
    theirs = RepeatAugSampler(range(NUM_IMAGES), seed=3)
    assert list(ours) == list(theirs)
    assert len(ours) == len(theirs)


@pytest.mark.parametrize('world', WORLDS)
def test_deits_length_equals_timms_sampler_at_seed_0(build, world):
    for rank in range(world):
        ours = build(rank, world, seed=0, length='deit')
        theirs = TimmSampler(range(NUM_IMAGES), num_replicas=world, rank=rank)
        for sampler in (ours, theirs):
            sampler.set_epoch(4)
        assert list(ours) == list(theirs)


def test_imagenet_over_four_ranks(build):
    lengths = {
        name: len(build(0, 4, num_images=1_281_167, seed=0, length=name))
        for name in ('full', 'deit')
    }
    assert lengths == dict(full=320_292, deit=320_256)


def test_a_runner_builds_it_with_its_seed():
    loader = dict(
        batch_size=4,
        drop_last=True,
        dataset=torch.utils.data.TensorDataset(torch.arange(300)),
        sampler=dict(type='mmvitkd.RepeatAugSampler', length='deit'),
    )
    built = Runner.build_dataloader(loader, seed=3)
    assert len(built) == 64
    assert list(built.sampler) == naive(300, 0, 1, 'deit', 3, 0)


def test_the_old_name_of_deits_length(build):
    with logged() as lines:
        old, new = (build(1, 4, seed=0, length=name) for name in ('released', 'deit'))
    assert list(old) == list(new)
    assert lines == ["WARNING sampler.length='released' is now called 'deit'."]


def test_an_unknown_length(build):
    with pytest.raises(ValueError, match=r"sampler.length='exact'.*'full', 'deit'"):
        build(length='exact')


@pytest.mark.parametrize(('num_images', 'world'), [(255, 1), (256, 300)])
def test_too_few_images_for_deits_length(build, num_images, world):
    with pytest.raises(ValueError, match=f'of {num_images} images over {world} ranks'):
        build(0, world, num_images=num_images, seed=0, length='deit')
