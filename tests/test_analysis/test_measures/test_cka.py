"""The blocks that CKA compares, and by which rows."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.linear_cka import LinearCKA
from mmvitkd.analysis.measures.block import Batch, Block
from mmvitkd.analysis.measures.cka import CKAMeasure
from mmvitkd.analysis.measures.settings import Settings

import pytest
import torch


def features(num_blocks, num_images=12, num_tokens=lambda i: 5):
    shared = torch.randn(num_images, 5, 6)
    blocks = {i: torch.randn(num_images, num_tokens(i), 6 + i) for i in range(num_blocks - 1)}
    if num_tokens(0) == 5:
        blocks[0][..., :6] += 2 * shared
    return {**blocks, 'neck': torch.cat([shared, torch.randn(num_images, 5, 2)], dim=2)}


def evaluated(blocks, *splits):
    """What the measure gives, after batches of images."""
    cka = CKAMeasure(list(Block.all_of(blocks, 12, Settings()).values()))
    for start, stop in splits or [(0, 12)]:
        places = range(start, stop)
        cka.update({k: Batch(tokens[start:stop], places) for k, tokens in blocks.items()})
    return {key: entry['cka'] for key, entry in cka.result().items()}


def measured(blocks, rows='tokens'):
    """By pairs, with ``LinearCKA`` alone."""
    found = {}
    for a in blocks:
        for b in blocks:
            cka = LinearCKA(rows)
            cka.update(blocks[a], blocks[b])
            found[a, b] = cka.result()
    return found


@pytest.mark.parametrize('num_blocks', [2, 6, 7, 9])
def test_few_blocks_with_all_others_and_many_with_the_last(num_blocks):
    blocks = features(num_blocks)
    found, wanted = evaluated(blocks, (0, 4), (4, 7), (7, 12)), measured(blocks)
    assert list(found) == list(blocks)
    for key, entry in found.items():
        others = [other for other in blocks if other != key]
        if num_blocks > 6 and key != 'neck':
            others = ['neck']
        assert list(entry['to']) == list(map(str, others)) == list(entry['null'])
        for other in others:
            pair = wanted[key, other]
            assert entry['to'][str(other)] == pytest.approx(pair['cka'], rel=1e-9)
            assert entry['null'][str(other)] == pytest.approx(pair['null'][0][1], rel=1e-9)
        assert (entry['rows'], entry['num_rows']) == ('tokens', 60)
    assert found[0]['to']['neck'] > 2 * found[0]['null']['neck']


def test_blocks_of_other_grids_are_compared_by_their_mean_tokens():
    blocks = features(3, num_tokens=lambda i: 20 - i)
    found, wanted = evaluated(blocks), measured(blocks, 'images')
    assert found[0]['rows'] == 'images' and found[0]['num_rows'] == 12
    assert found[0]['to']['1'] == pytest.approx(wanted[0, 1]['cka'], rel=1e-9)


def test_a_constant_block_is_named():
    blocks = {0: torch.randn(3, 4, 5), 1: torch.ones(3, 4, 5)}
    with pytest.raises(ValueError, match=r'blocks 0, 1 \(sources.*: source 1 has'):
        evaluated(blocks)
