"""A fixture of samplers: that of one of several ranks, without starting them."""

from mmvitkd.datasets.samplers import view_sampler
from mmvitkd.registry import DATA_SAMPLERS

import pytest
from mmengine.dataset import sampler as mmengine_samplers
from mmpretrain.datasets.samplers import repeat_aug


@pytest.fixture
def build(monkeypatch):
    """Build the sampler of one rank; keywords are those of the sampler inside."""

    def build(kind='DefaultSampler', rank=0, world=1, num_images=24, views=None, **kwargs):
        for module in (mmengine_samplers, repeat_aug, view_sampler):
            monkeypatch.setattr(module, 'get_dist_info', lambda: (rank, world))
        sampler = dict(type=kind, **kwargs)
        return DATA_SAMPLERS.build(
            dict(type='mmvitkd.ViewSampler', sampler=sampler, views=views),
            default_args=dict(dataset=range(num_images), seed=5),
        )

    return build
