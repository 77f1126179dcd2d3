"""A fixture of samplers: that of one of several ranks, without starting them."""

from mmvitkd.registry import DATA_SAMPLERS

import pytest


@pytest.fixture
def build(set_rank):
    """Build the sampler of one rank; keywords are those of the sampler inside."""

    def build(kind='DefaultSampler', rank=0, world=1, num_images=24, views=None, **kwargs):
        set_rank(rank, world)
        sampler = dict(type=kind, **kwargs)
        return DATA_SAMPLERS.build(
            dict(type='mmvitkd.ViewSampler', sampler=sampler, views=views),
            default_args=dict(dataset=range(num_images), seed=5),
        )

    return build
