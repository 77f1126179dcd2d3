"""The views of the images do not depend on the number of ranks."""

import pickle
from itertools import islice

import mmvitkd  # noqa: F401
from mmvitkd.datasets.samplers.view_sampler import ViewIndex

import pytest

KINDS = ['DefaultSampler', 'mmvitkd.RepeatAugSampler', 'InfiniteSampler']


def views(sampler, count=24):
    return [(int(index), index.view, index.repeat) for index in islice(sampler, count)]


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('world', [2, 8])
def test_the_ranks_share_one_stream(build, kind, world):
    whole = build(kind)
    whole.set_epoch(3)
    ranks = [build(kind, rank, world) for rank in range(world)]
    for rank in ranks:
        rank.set_epoch(3)
    shared = zip(*(views(rank, 24 // world) for rank in ranks), strict=True)
    assert [view for step in shared for view in step] == views(whole)


def test_a_view_is_the_epoch(build):
    sampler = build()
    sampler.set_epoch(4)
    assert {(view, repeat) for _, view, repeat in views(sampler)} == {(4, 0)}


def test_the_copies_of_repeated_augmentation_are_three_views(build):
    assert views(build('mmvitkd.RepeatAugSampler'), 6) == [
        (first, 0, repeat)
        for first in (views(build())[0][0], views(build())[1][0])
        for repeat in range(3)
    ]


def test_a_stream_without_end_has_one_view_per_pass(build):
    drawn = views(build('InfiniteSampler'), 3 * 24)
    assert [view for _, view, _ in drawn] == [0] * 24 + [1] * 24 + [2] * 24


def test_a_limited_number_of_views_comes_in_turn(build):
    sampler = build(views=2)
    found = []
    for epoch in range(5):
        sampler.set_epoch(epoch)
        found.append(views(sampler)[0][1])
    assert found == [0, 1, 0, 1, 0]


@pytest.mark.parametrize('views', [0, -1, 2.5, True, '3'])
def test_what_is_no_number_of_views_is_refused(build, views):
    with pytest.raises(ValueError, match=f'sample_views={views!r}: wanted an integer of 1'):
        build(views=views)


def test_an_index_is_a_number_and_survives_pickling():
    index = pickle.loads(pickle.dumps(ViewIndex(7, 2, 1)))
    assert (index + 1, index.view, index.repeat) == (8, 2, 1)
