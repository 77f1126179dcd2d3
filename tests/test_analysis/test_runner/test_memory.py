"""The memory limit is divided among passes, updates and kept features."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.analysis.measures.block import Block
from mmvitkd.analysis.measures.selection import measure_named
from mmvitkd.analysis.measures.settings import Settings
from mmvitkd.analysis.runner.memory import plan_memory
from mmvitkd.utils.errors import KeyedValueError

import pytest
import torch
from shipped_measures import NAMES

GIB, MIB = 2**30, 2**20
# Of 24 blocks, by default.
LEFT_OUT = ('permutation', 'gradient')


def plan(limit, names=('svd', 'pca'), num_blocks=1, num_images=1000, dtype=torch.float, **more):
    """The plan for blocks of CaiT-S24."""
    settings = Settings(tuple(names), memory_limit=limit, **more)
    features = dict.fromkeys(range(num_blocks), torch.zeros(1, 196, 384, dtype=dtype))
    blocks = Block.all_of(features, num_images, settings)
    return plan_memory(blocks, [measure_named(name) for name in names], 32)


def test_features_are_kept_if_they_fit():
    """1,000 images of CaiT-S24 at one block are 287 MiB."""
    assert plan(2 * GIB) == (32, 32, 'memory', 0)
    assert plan(300 * MIB).kept == 'second forward pass'
    assert plan(300 * MIB, spill='/somewhere').kept == 'spill'
    assert plan(2 * GIB, spill='/somewhere').kept == 'memory'
    assert plan(300 * MIB, num_images=500).kept == 'memory'
    assert plan(300 * MIB, dtype=torch.bfloat16).kept == 'memory'


def test_nothing_is_kept_where_nothing_needs_all_features():
    assert plan(200 * MIB, ['svd', 'sep', 'cka'], num_blocks=2).kept == 'not needed'
    for name in ('pca', 'rotation', 'entropy'):
        assert plan(100 * MIB, [name]).kept == 'second forward pass'


def test_fewer_images_at_a_time_under_a_lower_limit():
    generous, low, lowest = (plan(size * MIB, num_images=100) for size in (800, 100, 30))
    assert generous.forward_size == generous.update_size == 32
    assert 1 < low.update_size < low.forward_size <= 32
    assert lowest.update_size == 1 and 1 <= lowest.forward_size < low.forward_size + 1


def test_more_blocks_leave_less():
    assert plan(2 * GIB, num_blocks=24).kept == 'second forward pass'
    assert plan(500 * MIB, num_blocks=24).forward_size < plan(500 * MIB).forward_size


def test_gradients_get_half():
    found = plan(2 * GIB, ['svd', 'gradient'])
    assert found.gradient_bytes == GIB
    assert found.update_size <= plan(2 * GIB, ['svd']).update_size


@pytest.mark.parametrize(
    ('names', 'num_blocks', 'least'),
    [
        (['svd'], 1, 8 * 196 * 384 * 8),
        (['pca'], 24, 24 * 384**2 * 8),
        (['cka'], 24, 3 * 24 * 384**2 * 8),
        (['cka'], 6, 21 * 384**2 * 8),
        (['sep'], 1, 3 * 2048 * 384 * 8),
        (['permutation'], 24, 24 * (1000 * 10 + 100 * 384) * 8),
        (['rotation'], 24, 24 * (384**2 + 500 * 384 * 10) * 8),
    ],
)
def test_what_measures_hold_is_counted(names, num_blocks, least):
    plan(4 * least + 100 * MIB, names, num_blocks)
    with pytest.raises(KeyedValueError, match=rf'of {num_blocks} blocks? take') as error:
        plan(least, names, num_blocks)
    assert error.value.key == 'memory_limit'


@pytest.mark.parametrize(('num_images', 'held'), [(100, '306 MiB'), (1000, '602 MiB')])
def test_the_document_says_what_cait_takes(num_images, held):
    with pytest.raises(KeyedValueError, match=rf'take {held} and 12\.7 MiB per image'):
        plan(9 * MIB, [n for n in NAMES if n not in LEFT_OUT], 24, num_images)
    document = (Path(__file__).parents[3] / 'docs' / 'analyses.md').read_text()
    assert held in document and '12.7 MiB' in document
