"""Put the benchmarks' folder on the path, for its generated photographs; set the rank."""

import sys
from pathlib import Path

from mmvitkd.datasets.samplers import view_sampler

import pytest
from mmengine.dataset import sampler as mmengine_samplers
from mmpretrain.datasets.samplers import repeat_aug

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'benchmarks'))


@pytest.fixture
def set_rank(monkeypatch):
    """Let samplers that are built from now on be those of a rank, without starting others."""

    def set_rank(rank, world):
        for module in (mmengine_samplers, repeat_aug, view_sampler):
            monkeypatch.setattr(module, 'get_dist_info', lambda: (rank, world))

    return set_rank
