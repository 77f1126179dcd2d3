"""A shard is a safetensors file, with the size it should have or an error."""

import os
import zlib

import mmvitkd  # noqa: F401
from mmvitkd.cache.damaged_cache import DamagedCacheError
from mmvitkd.cache.shard_file import Shard, ShardFormat

import numpy as np
import pytest
import safetensors
import safetensors.numpy

ROWS, BYTES = 7, 12


@pytest.fixture
def shard_format(tmp_path):
    return ShardFormat(tmp_path / 'shard-00000-of-00001.safetensors', ROWS, BYTES)


@pytest.fixture
def data():
    return np.random.default_rng(0).integers(0, 256, (ROWS, BYTES), np.uint8)


@pytest.fixture
def filled(shard_format, data):
    """The format of a shard with all rows but row 2."""
    shard_format.create()
    shard = Shard(shard_format, writable=True)
    stored = [row for row in range(ROWS) if row != 2]
    for row in stored:
        shard.write(row, data[row].data)
    shard.mark(stored)
    return shard_format


def stored_rows(shard_format):
    """The numbers of the rows that are marked, all of which are whole."""
    shard = Shard(shard_format)
    assert list(shard.damaged()) == []
    return np.flatnonzero(shard.checksums).tolist()


@pytest.mark.parametrize('rows', [1, 2, 7, 1000])
def test_it_is_what_the_safetensors_library_writes(tmp_path, rows):
    shard_format = ShardFormat(tmp_path / 'a', rows, BYTES)
    shard_format.create()
    tensors = dict(crc32=np.zeros(rows, np.uint32), rows=np.zeros((rows, BYTES), np.uint8))
    assert shard_format.path.read_bytes() == safetensors.numpy.save(tensors)
    assert len(shard_format.header) % 8 == 0


def test_the_safetensors_library_reads_it(filled, data):
    with safetensors.safe_open(filled.path, 'np') as file:
        checksums, rows = file.get_tensor('crc32'), file.get_tensor('rows')
    wanted = [zlib.crc32(row) for row in data]
    wanted[2] = 0
    assert checksums.tolist() == wanted
    assert np.array_equal(np.delete(rows, 2, 0), np.delete(data, 2, 0)) and not rows[2].any()


def test_an_empty_shard_takes_no_space(tmp_path):
    shard_format = ShardFormat(tmp_path / 'a', 1000, 10_000)
    shard_format.create()
    assert os.stat(shard_format.path).st_blocks * 512 < 100_000


def test_a_checksum_of_0_counts_as_1(tmp_path):
    row = b'\x9d\x0a\xd9\x6d'
    assert zlib.crc32(row) == 0
    shard_format = ShardFormat(tmp_path / 'a', 1, 4)
    shard_format.create()
    shard = Shard(shard_format, writable=True)
    shard.write(0, memoryview(row))
    shard.mark([0])
    assert shard.checksums[0] == 1 and list(shard.damaged()) == []


def test_rows_are_on_the_disk_before_their_marks(shard_format, data, monkeypatch):
    calls, sync, pwrite = [], os.fdatasync, os.pwrite

    def logged_pwrite(fd, data, at):
        calls.append(f'write {len(data)}')
        return pwrite(fd, data, at)

    shard_format.create()
    shard = Shard(shard_format, writable=True)
    monkeypatch.setattr(os, 'pwrite', logged_pwrite)
    monkeypatch.setattr(os, 'fdatasync', lambda fd: (calls.append('sync'), sync(fd)))
    for row in (0, 1):
        shard.write(row, data[row].data)
    shard.mark([0, 1])
    shard.forget([1])
    marks = ['write 4', 'write 4']
    assert calls == ['write 12', 'write 12', 'sync', *marks, 'write 4', 'sync']


def test_creating_again_keeps_the_rows(filled):
    before = filled.path.read_bytes()
    filled.create()
    assert filled.path.read_bytes() == before


@pytest.mark.parametrize('size', [0, 1, 100])
def test_a_creation_that_was_killed_is_completed(shard_format, size):
    shard_format.create()
    whole = shard_format.path.read_bytes()
    shard_format.path.write_bytes(whole[:size])
    shard_format.create()
    assert shard_format.path.read_bytes() == whole


@pytest.mark.parametrize('change', [-1, -50, +1])
def test_another_size_is_refused(filled, change):
    whole = filled.file_bytes
    os.truncate(filled.path, whole + change)
    before = filled.path.read_bytes()
    message = f'{filled.path}: {whole + change} bytes, wanted {whole}.*--repair'
    for use in (filled.create, filled.check_size, lambda: Shard(filled)):
        with pytest.raises(DamagedCacheError, match=message) as found:
            use()
        assert found.value.path == filled.path
    assert filled.path.read_bytes() == before


def test_a_missing_file_is_refused(shard_format):
    for use in (shard_format.check_size, lambda: Shard(shard_format)):
        with pytest.raises(DamagedCacheError, match=r'00001.safetensors: missing.*--repair'):
            use()


def test_another_header_is_refused(filled):
    with open(filled.path, 'r+b') as file:
        file.seek(12)
        file.write(b'X')
    for use in (filled.create, lambda: Shard(filled)):
        with pytest.raises(DamagedCacheError, match=r'header .*crX32.*wanted.*crc32'):
            use()


def test_a_file_that_is_replaced_while_it_is_opened_is_refused(filled, monkeypatch):
    """It is not mapped, as reading behind its end would kill the process."""
    monkeypatch.setattr(ShardFormat, 'check_size', lambda self: None)
    os.truncate(filled.path, filled.file_bytes - 20)
    with pytest.raises(DamagedCacheError, match='truncated'):
        Shard(filled)


def test_repair_leaves_a_whole_file_alone(filled):
    before = os.stat(filled.path).st_mtime_ns
    assert not filled.repair()
    assert os.stat(filled.path).st_mtime_ns == before


def test_repair_creates_a_missing_file(shard_format):
    assert shard_format.repair()
    assert stored_rows(shard_format) == []


@pytest.mark.parametrize('kept', range(ROWS))
def test_repair_keeps_the_rows_before_a_cut(filled, data, kept):
    os.truncate(filled.path, filled.file_bytes - (ROWS - kept) * BYTES + 5)
    assert filled.repair()
    assert stored_rows(filled) == [row for row in range(kept) if row != 2]
    assert np.array_equal(Shard(filled).rows[: min(kept, 2)], data[: min(kept, 2)])


@pytest.mark.parametrize('size', [0, 3, 150])
def test_repair_after_a_cut_before_the_rows(filled, size):
    os.truncate(filled.path, size)
    assert filled.repair()
    assert stored_rows(filled) == []


def test_repair_mends_a_header(filled):
    whole = filled.path.read_bytes()
    filled.path.write_bytes(whole[:12] + b'X' + whole[13:])
    assert filled.repair()
    assert filled.path.read_bytes() == whole


@pytest.mark.parametrize('content', [b'not a shard', bytes(10_000)])
def test_repair_leaves_a_file_of_another_program_alone(shard_format, content):
    shard_format.path.write_bytes(content)
    with pytest.raises(DamagedCacheError, match='move it away'):
        shard_format.repair()
    assert shard_format.path.read_bytes() == content
