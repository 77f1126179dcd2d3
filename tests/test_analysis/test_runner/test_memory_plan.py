"""How the memory limit is divided."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.analysis.runner.measures import chosen_measures
from mmvitkd.analysis.runner.memory_plan import Shape, plan_memory
from mmvitkd.analysis.runner.settings import Settings

import pytest
import torch

CAIT = Shape(196, 384, 4)
GIB, MIB = 2**30, 2**20


def plan(limit, measures=('svd', 'pca'), num_blocks=1, num_images=1000, spill=None, shape=CAIT):
    settings = Settings(tuple(measures), memory_limit=limit, spill=spill)
    return plan_memory(dict.fromkeys(range(num_blocks), shape), num_images, 32, settings)


def test_shape_of_features():
    shape = Shape.of(torch.zeros(5, 7, 3, dtype=torch.bfloat16))
    assert shape == (7, 3, 2) and shape.size == 42


def test_features_are_kept_if_they_fit():
    """1,000 images of CaiT-S24 at one block are 287 MiB."""
    assert plan(2 * GIB) == (32, 32, 'memory', 0)
    assert plan(300 * MIB).kept == 'second forward pass'
    assert plan(300 * MIB, spill='/somewhere').kept == 'spill'
    assert plan(2 * GIB, spill='/somewhere').kept == 'memory'
    assert plan(300 * MIB, num_images=500).kept == 'memory'
    assert plan(300 * MIB, shape=Shape(196, 384, 2)).kept == 'memory'


def test_nothing_waits_where_nothing_needs_the_whole_set():
    assert plan(100 * MIB, ['svd', 'sep', 'cka'], num_blocks=2).kept == 'not needed'
    for name in ('pca', 'rotation', 'entropy'):
        assert plan(100 * MIB, [name]).kept == 'second forward pass'


def test_fewer_images_at_a_time_under_a_lower_limit():
    generous, low, lowest = (plan(size * MIB, num_images=100) for size in (800, 100, 30))
    assert generous.forward == generous.part == 32
    assert 1 < low.part < low.forward <= 32
    assert lowest.part == 1 and 1 <= lowest.forward < low.forward + 1


def test_more_blocks_leave_less():
    assert plan(2 * GIB, num_blocks=24).kept == 'second forward pass'
    assert plan(500 * MIB, num_blocks=24).forward < plan(500 * MIB).forward


def test_gradients_get_half():
    found = plan(2 * GIB, ['svd', 'gradient'])
    assert found.gradients == GIB
    assert found.part <= plan(2 * GIB, ['svd']).part
    few, fewer = (plan(100 * MIB, m, 24).forward for m in (['svd'], ['svd', 'gradient']))
    assert fewer < few


@pytest.mark.parametrize(
    ('measures', 'num_blocks', 'least'),
    [
        (['svd'], 1, 8 * 196 * 384 * 8),
        (['pca'], 24, 24 * 384**2 * 8),
        (['cka'], 24, 3 * 24 * 384**2 * 8),
        (['cka'], 6, 21 * 384**2 * 8),
        (['sep'], 1, 3 * 2048 * 384 * 8),
        (['permutation'], 24, 24 * 1000 * 384 * 8),
        (['rotation'], 24, 24 * (384**2 + 500 * 384 * 10) * 8),
    ],
)
def test_what_measures_gather_is_counted(measures, num_blocks, least):
    plan(4 * least + 100 * MIB, measures, num_blocks)
    with pytest.raises(ValueError, match=rf'of {num_blocks} blocks? take .* an image\. Wanted'):
        plan(least, measures, num_blocks)


def test_a_limit_that_is_too_low_is_told():
    with pytest.raises(ValueError, match=r'memory_limit: found 1 MiB; .* 1 block take'):
        plan(MIB)


@pytest.mark.parametrize(('num_images', 'held'), [(100, '127 MiB'), (1000, '408 MiB')])
def test_the_document_says_what_cait_takes(num_images, held):
    measures = chosen_measures(['default'], 24)
    with pytest.raises(ValueError, match=rf'of 24 blocks take {held} and 12\.7 MiB an image'):
        plan(9 * MIB, measures, 24, num_images=num_images)
    document = (Path(__file__).parents[3] / 'docs' / 'analyses.md').read_text()
    assert held in document and '12.7 MiB' in document
