"""The plan of views against samplers that are asked, rank by rank."""

from itertools import islice

import mmvitkd  # noqa: F401
from mmvitkd.datasets.samplers.view_plan import visited_views

import pytest

REPEATED = 'mmvitkd.RepeatAugSampler'
SAMPLERS = [
    dict(),
    dict(num_images=10, shuffle=False),
    dict(kind=REPEATED),
    dict(kind=REPEATED, num_images=37, num_repeats=2),
    dict(kind=REPEATED, num_images=10, num_repeats=1),
    dict(kind=REPEATED, num_images=37, shuffle=False),
    dict(kind=REPEATED, num_images=300, length='deit'),
    dict(kind='RepeatAugSampler', num_images=37),
]


def planned(sampler, num_epochs, **kwargs):
    """The plan, one (view, repeat, index) after the other."""
    return [
        (view, repeat, index)
        for view, repeat, indices in visited_views(sampler, num_epochs, **kwargs)
        for index in indices.tolist()
    ]


def asked_for(build, world, num_epochs, **kwargs):
    """What all ranks of a training ask for."""
    found = set()
    for rank in range(world):
        sampler = build(rank=rank, world=world, **kwargs)
        for epoch in range(num_epochs):
            sampler.set_epoch(epoch)
            found |= {(index.view, index.repeat, int(index)) for index in sampler}
    return found


@pytest.mark.parametrize('sampler', [*SAMPLERS, dict(kind=REPEATED, num_images=1)], ids=str)
@pytest.mark.parametrize('views', [None, 1, 3, 9])
def test_one_rank_asks_for_what_is_planned_for_it(build, sampler, views):
    asked = asked_for(build, 1, 7, views=views, **sampler)
    assert planned(build(views=views, **sampler), 7, ranks=[1]) == sorted(asked)


@pytest.mark.parametrize('sampler', SAMPLERS, ids=str)
@pytest.mark.parametrize('views', [None, 3])
def test_the_plan_is_all_that_up_to_eight_ranks_ask_for(build, sampler, views):
    asked = [asked_for(build, ranks, 4, views=views, **sampler) for ranks in range(1, 9)]
    assert planned(build(views=views, **sampler), 4, ranks=range(1, 9)) == sorted(
        set.union(*asked)
    )


@pytest.mark.parametrize('sampler', SAMPLERS, ids=str)
def test_without_a_number_of_passes_all_views_are_planned(build, sampler):
    asked = asked_for(build, 8, 40, views=3, **sampler)
    plan = planned(build(views=3, **sampler), None)
    assert asked <= set(plan) and len(set(plan)) == len(plan)


@pytest.mark.parametrize('world', [1, 2, 8])
def test_it_does_not_depend_on_the_rank_that_makes_it(build, world):
    plans = [
        planned(build(REPEATED, rank, world, num_images=300, length=length), 3)
        for rank in range(world)
        for length in ('full', 'deit')
    ]
    assert all(plan == plans[i % 2] for i, plan in enumerate(plans))


@pytest.mark.parametrize('world', [1, 2, 8])
def test_a_stream_without_end_is_counted_in_passes(build, world):
    """80 of 24 images: three passes, and a part of the fourth."""
    asked = {
        (index.view, index.repeat, int(index))
        for rank in range(world)
        for index in islice(build('InfiniteSampler', rank, world), 80 // world)
    }
    plan = planned(build('InfiniteSampler'), 4)
    assert asked < set(plan)
    assert (len(asked), len(plan)) == (80, 4 * 24)


def test_on_imagenet_the_plan_for_any_ranks_is_hardly_larger(build):
    """Every epoch may be 113 images longer on some number of ranks up to 128 than on one."""
    sampler = build(REPEATED, num_images=1_281_167)
    plans = visited_views(sampler, 2, ranks=[1]), visited_views(sampler, 2)
    counts = [sum(len(indices) for *_, indices in plan) for plan in plans]
    assert counts == [2 * 1_281_167, 2 * 1_281_280]
