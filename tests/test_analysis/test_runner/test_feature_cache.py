"""A cache returns features unchanged."""

import os

import mmvitkd  # noqa: F401
from mmvitkd.analysis.runner.feature_cache import DiskCache, FeatureBatch, feature_cache

import pytest
import torch


def batches():
    features = [
        {0: torch.randn(size, 5, 6)[:, 1:], 'neck': torch.randn(size, 4, 3).bfloat16()}
        for size in (3, 3, 1)
    ]
    places = torch.arange(7).split(3)
    return [FeatureBatch(f, i) for f, i in zip(features, places, strict=True)]


def open_files(folder):
    links = (f'/proc/self/fd/{number}' for number in os.listdir('/proc/self/fd'))
    return [path for path in map(os.path.realpath, links) if path.startswith(str(folder))]


@pytest.mark.parametrize('where', ['memory', 'spill'])
def test_they_come_back_as_often_as_wanted(where, tmp_path):
    put = batches()
    with feature_cache(where, str(tmp_path)) as kept:
        for batch in put:
            kept.put(batch)
        for _ in range(2):
            for found, wanted in zip(kept, put, strict=True):
                assert found.features.keys() == wanted.features.keys()
                for key, tokens in wanted.features.items():
                    assert found.features[key].dtype == tokens.dtype
                    assert torch.equal(found.features[key], tokens)
                assert torch.equal(found.indices, wanted.indices)


def test_in_memory_they_take_no_more_than_their_size():
    (batch, *_) = batches()
    with feature_cache('memory', None) as kept:
        kept.put(batch)
        (found,) = kept
    assert found.features[0].untyped_storage().nbytes() == 3 * 4 * 6 * 4


@pytest.mark.skipif(not os.path.isdir('/proc/self/fd'), reason='needs /proc')
@pytest.mark.parametrize('error', [None, ValueError, KeyboardInterrupt])
def test_the_file_has_no_name_and_does_not_stay(error, tmp_path):
    (batch, *_) = batches()
    try:
        with feature_cache('spill', str(tmp_path)) as kept:
            assert isinstance(kept, DiskCache)
            kept.put(batch)
            assert len(open_files(tmp_path)) == 1 and not list(tmp_path.iterdir())
            if error is not None:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    assert open_files(tmp_path) == [] == list(tmp_path.iterdir())


def test_nothing_is_kept():
    for where in ('second forward pass', 'not needed'):
        with feature_cache(where, None) as kept:
            assert kept is None
