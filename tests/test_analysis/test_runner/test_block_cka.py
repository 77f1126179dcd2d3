"""Which blocks are compared with which, and by what."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.cka import LinearCKA
from mmvitkd.analysis.runner.block_cka import BlockCKA

import pytest
import torch


def features(num_blocks, num_images=12, num_tokens=lambda i: 5):
    shared = torch.randn(num_images, 5, 6)
    blocks = {i: torch.randn(num_images, num_tokens(i), 6 + i) for i in range(num_blocks - 1)}
    if num_tokens(0) == 5:
        blocks[0][..., :6] += 2 * shared
    return {**blocks, 'neck': torch.cat([shared, torch.randn(num_images, 5, 2)], dim=2)}


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
    cka = BlockCKA({key: tokens.shape[1] for key, tokens in blocks.items()})
    for start in (0, 4, 7, 12):
        stop = {0: 4, 4: 7, 7: 12, 12: 12}[start]
        if start < stop:
            cka.update({key: tokens[start:stop] for key, tokens in blocks.items()})
    found, wanted = cka.result(), measured(blocks)
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
    cka = BlockCKA({key: tokens.shape[1] for key, tokens in blocks.items()})
    cka.update(blocks)
    found, wanted = cka.result(), measured(blocks, 'images')
    assert found[0]['rows'] == 'images' and found[0]['num_rows'] == 12
    assert found[0]['to']['1'] == pytest.approx(wanted[0, 1]['cka'], rel=1e-9)


def test_a_constant_block_is_named():
    blocks = {0: torch.randn(3, 4, 5), 1: torch.ones(3, 4, 5)}
    cka = BlockCKA({0: 4, 1: 4})
    cka.update(blocks)
    with pytest.raises(ValueError, match=r'cka of blocks 0, 1 \(sources.*: source 1 has'):
        cka.result()
