"""Rows are divided among shards, whose number tells how."""

import mmvitkd  # noqa: F401
from mmvitkd.cache.damaged_cache import DamagedCacheError
from mmvitkd.cache.sharding import Sharding

import numpy as np
import pytest


@pytest.mark.parametrize('num_rows', [1, 2, 7, 10, 97, 100])
@pytest.mark.parametrize('per_shard', [1, 2, 3, 6, 100])
def test_every_row_is_in_one_shard_of_at_most_that_size(tmp_path, num_rows, per_shard):
    planned = Sharding.planned(tmp_path, num_rows, 12, 16 * per_shard + 3)
    shards = list(planned.shards())
    assert sum(shard.num_rows for shard in shards) == num_rows
    assert min(shard.num_rows for shard in shards) >= 1
    assert max(shard.num_rows for shard in shards) == planned.rows_per_shard <= per_shard


@pytest.mark.parametrize('num_rows', range(1, 40))
def test_one_name_tells_how_rows_are_divided(tmp_path, num_rows):
    planned = Sharding.planned(tmp_path, num_rows, 12, 16 * 6)
    planned.shard(planned.num_shards - 1).path.touch()
    assert Sharding.found(tmp_path, num_rows, 12) == planned


def test_a_row_may_be_larger_than_a_shard_should_be(tmp_path):
    assert Sharding.planned(tmp_path, 3, 100, 10).num_shards == 3


def test_no_shards(tmp_path):
    (tmp_path / 'shard-1').touch()
    assert Sharding.found(tmp_path, 3, 4) is None


def test_shards_of_two_caches_are_refused(tmp_path):
    for name in ('shard-00000-of-00001', 'shard-00000-of-00002'):
        (tmp_path / f'{name}.safetensors').touch()
    with pytest.raises(DamagedCacheError, match=r'of-00001.* and .*of-00002'):
        Sharding.found(tmp_path, 3, 4)


def test_split_names_the_places_of_rows(tmp_path):
    rows = np.array([9, 0, 4, 3, 9])
    parts = Sharding(tmp_path, 10, 12, num_shards=3).split(rows)
    found = [(number, list(local), list(places)) for number, local, places in parts]
    assert found == [(0, [0, 3], [1, 3]), (1, [0], [2]), (2, [1, 1], [0, 4])]


@pytest.mark.parametrize('rows', [[0, 10], [-1, 3]])
def test_a_row_out_of_range_is_refused(tmp_path, rows):
    sharding = Sharding(tmp_path, 10, 12, num_shards=3)
    with pytest.raises(IndexError, match=f'{rows[0]} to {rows[1]}, but .* 0 to 9'):
        list(sharding.split(np.array(rows)))
