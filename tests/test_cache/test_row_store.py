"""Rows that were marked are read as they were written, whatever happened in between."""

import errno
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.cache import row_store
from mmvitkd.cache.damaged_cache import DamagedCacheError
from mmvitkd.cache.row_store import RowStore

import numpy as np
import pytest
import torch

NUM_ROWS, ROW_BYTES, SHARD_BYTES = 50, 20, 7 * 24  # 8 shards: 7 of 7 rows, one of 1
NEVER = 1e6  # seconds


def content(rows):
    """What is stored in rows, by their numbers."""
    rows = np.asarray(rows)[:, None]
    return torch.from_numpy((rows * 31 + np.arange(ROW_BYTES) * 7 + 1).astype(np.uint8))


@pytest.fixture
def folder(tmp_path):
    RowStore.create(tmp_path, NUM_ROWS, ROW_BYTES, SHARD_BYTES)
    return tmp_path


def opened(folder, writable=True, flush_interval=NEVER):
    return RowStore.open(folder, NUM_ROWS, ROW_BYTES, writable, flush_interval)


def fill(folder, rows):
    with opened(folder) as store:
        store.write(np.array(rows), content(rows))


def wait_until(happened):
    for _ in range(1000):
        if happened():
            return
        time.sleep(0.01)
    raise AssertionError('it did not happen')


def shard_of(folder, row):
    return folder / f'shard-{row // 7:05}-of-00008.safetensors'


def flip(folder, row, byte=3):
    """Flip a bit of a stored row."""
    path, last = shard_of(folder, row), 7 - row % 7 if row < 49 else 1
    whole = bytearray(path.read_bytes())
    whole[len(whole) - last * ROW_BYTES + byte] ^= 4
    path.write_bytes(whole)


def state(folder):
    """The numbers of the stored rows, which all must be whole."""
    with opened(folder, writable=False) as store:
        stored = np.flatnonzero(store.has(np.arange(NUM_ROWS)))
        assert torch.equal(store.read(stored), content(stored))
        assert list(store.damaged_rows()) == []
    return stored.tolist()


def test_rows_come_back_in_the_order_they_are_asked_for(folder):
    rows = [49, 3, 0, 17, 7, 48]
    fill(folder, rows)
    with opened(folder, writable=False) as store:
        asked = np.array([7, 49, 3, 7, 48])
        assert torch.equal(store.read(asked), content(asked))
        assert store.has(np.array([0, 1, 49, 17, 18])).tolist() == [1, 0, 1, 1, 0]
        assert np.flatnonzero(store.has(np.arange(NUM_ROWS))).tolist() == sorted(rows)


def test_no_rows(folder):
    with opened(folder) as store:
        none = np.array([], int)
        store.write(none, content(none))
        store.prefetch(none)
        assert store.read(none).shape == (0, ROW_BYTES) and store.has(none).size == 0


def test_prefetching_changes_nothing(folder):
    fill(folder, [3, 49])
    with opened(folder, writable=False) as store:
        store.prefetch(np.array([49, 3, 20, 3]))
    assert state(folder) == [3, 49]


def test_rows_are_missing_until_they_are_marked(folder):
    with opened(folder) as store:
        store.write(np.array([4]), content([4]))
        assert not store.has(np.array([4]))[0]
        store.flush()
        assert store.has(np.array([4]))[0]
        assert state(folder) == [4]  # of another reader


def test_rows_are_marked_in_the_background(folder):
    with opened(folder, flush_interval=0.001) as store:
        store.write(np.array([4, 30]), content([4, 30]))
        wait_until(lambda: store.has(np.array([4, 30])).all())
        assert state(folder) == [4, 30]


def test_marked_rows_are_not_written_again(folder):
    fill(folder, [4, 5])
    with opened(folder) as store:
        store.write(np.array([4, 6]), content([40, 6]))
    assert state(folder) == [4, 5, 6]


def test_a_row_may_be_written_twice_before_it_is_marked(folder):
    with opened(folder) as store:
        store.write(np.array([4, 4]), content([9, 9]))
        store.write(np.array([4]), content([4]))
    assert state(folder) == [4]


def test_a_buffer_that_is_not_contiguous(folder):
    with opened(folder) as store:
        store.write(np.array([1, 3]), content([1, 2, 3])[::2])
    assert state(folder) == [1, 3]


@pytest.mark.parametrize(
    'buffer', [torch.zeros(2, 19, dtype=torch.uint8), torch.zeros(2, 20, dtype=torch.int8)]
)
def test_a_buffer_of_other_rows_is_refused(folder, buffer):
    with opened(folder) as store, pytest.raises(ValueError, match=r'wanted \(2, 20\)'):
        store.write(np.array([1, 2]), buffer)


def test_few_files_are_open_at_once(folder, monkeypatch):
    monkeypatch.setattr(row_store, 'MAX_OPEN', 2)
    before = len(os.listdir('/proc/self/fd'))
    rows = np.arange(NUM_ROWS)
    with opened(folder) as store:
        store.write(rows, content(rows))
        store.flush()
        assert torch.equal(store.read(rows), content(rows))
        assert len(os.listdir('/proc/self/fd')) <= before + 2 * 2
    assert len(os.listdir('/proc/self/fd')) == before
    assert state(folder) == rows.tolist()


def test_forgotten_rows_are_written_again(folder):
    fill(folder, [4, 5, 49])
    with opened(folder) as store:
        store.forget(np.array([4, 49]))
        assert store.has(np.array([4, 5, 49])).tolist() == [0, 1, 0]
        store.write(np.array([4]), content([4]))
    assert state(folder) == [4, 5]


# What is wrong


def test_a_row_that_is_not_stored(folder):
    fill(folder, [3])
    message = f'{shard_of(folder, 20)}: row 20 is not stored.*--repair'
    with opened(folder) as store, pytest.raises(DamagedCacheError, match=message) as found:
        store.read(np.array([3, 20]))
    assert found.value.rows == (20,) and found.value.path == shard_of(folder, 20)


@pytest.mark.parametrize('row', [0, 6, 7, 49])
def test_a_flipped_bit(folder, row):
    fill(folder, range(NUM_ROWS))
    flip(folder, row)
    with opened(folder) as store:
        with pytest.raises(DamagedCacheError, match=f'row {row} does not fit') as found:
            store.read(np.arange(NUM_ROWS))
        assert found.value.path == shard_of(folder, row) and found.value.rows == (row,)
        assert list(store.damaged_rows()) == [row]
        store.forget(np.array(found.value.rows))
    assert state(folder) == [other for other in range(NUM_ROWS) if other != row]


def test_several_damaged_rows(folder):
    fill(folder, range(NUM_ROWS))
    for row in (4, 30):
        flip(folder, row)
    with opened(folder) as store:
        assert list(store.damaged_rows()) == [4, 30]
        with pytest.raises(DamagedCacheError, match='1 other') as found:
            store.read(np.array([30, 29, 4]))
    assert sorted(found.value.rows) == [4, 30]


def test_a_part_that_was_read_before_another_machine_wrote_it(folder):
    """NFS keeps old pages of a file until it is opened again."""
    store = opened(folder)
    old = store._shard(0).rows.copy()
    fill(folder, [3])
    store._shard(0).rows = old
    assert torch.equal(store.read(np.array([3])), content([3]))


def test_a_folder_without_shards(tmp_path):
    with pytest.raises(DamagedCacheError, match=f'{tmp_path}: no shard'):
        opened(tmp_path)


@pytest.mark.parametrize('damage', ['truncate', 'remove'])
def test_a_damaged_file_is_refused_and_repaired(folder, damage):
    fill(folder, range(NUM_ROWS))
    path = shard_of(folder, 15)
    whole = path.stat().st_size
    if damage == 'remove':
        path.unlink()
        message, lost = f'{path}: missing', range(14, 21)
    else:
        os.truncate(path, whole - 3 * ROW_BYTES)
        message, lost = f'{path}: {whole - 60} bytes, wanted {whole}', range(18, 21)
    with pytest.raises(DamagedCacheError, match=f'{message}.*--repair'):
        opened(folder, writable=False)
    assert RowStore.repair_files(folder, NUM_ROWS, ROW_BYTES) == [path]
    assert state(folder) == [row for row in range(NUM_ROWS) if row not in lost]
    assert RowStore.repair_files(folder, NUM_ROWS, ROW_BYTES) == []


def test_repair_of_a_folder_without_shards(tmp_path):
    repaired = RowStore.repair_files(tmp_path, NUM_ROWS, ROW_BYTES, SHARD_BYTES)
    assert len(repaired) == 8
    assert state(tmp_path) == []


def test_a_store_of_other_numbers_is_refused(folder):
    with pytest.raises(DamagedCacheError, match='wanted'):
        RowStore.open(folder, NUM_ROWS + 8, ROW_BYTES, writable=False)
    with pytest.raises(DamagedCacheError, match='wanted'):
        RowStore.create(folder, NUM_ROWS, ROW_BYTES + 4)


def test_creating_again_keeps_rows_and_files(folder):
    fill(folder, [1, 49])
    RowStore.create(folder, NUM_ROWS, ROW_BYTES, shard_bytes=10_000)
    assert len(list(folder.iterdir())) == 8
    assert state(folder) == [1, 49]


def test_an_interrupted_creation_goes_on(folder):
    fill(folder, [1])
    for row in (20, 49):
        shard_of(folder, row).unlink()
    RowStore.create(folder, NUM_ROWS, ROW_BYTES, shard_bytes=10_000)
    assert state(folder) == [1]


def test_a_read_only_folder_can_be_read(folder, monkeypatch):
    fill(folder, [3])
    real = os.open

    def read_only(path, flags, *args, **kwargs):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, 'open', read_only)
    assert state(folder) == [3]
    with pytest.raises(OSError, match='shard-00000') as found:
        opened(folder)
    assert found.value.errno == errno.EROFS


def test_a_store_that_is_open_for_reading_is_not_written(folder):
    with opened(folder, writable=False) as store:
        with pytest.raises(ValueError, match='for reading only'):
            store.write(np.array([1]), content([1]))
        with pytest.raises(ValueError, match='for reading only'):
            store.forget(np.array([1]))


# A full disk


class SmallDisk:
    """Let ``pwrite`` fail like that of a disk with so many bytes left."""

    def __init__(self, monkeypatch, space):
        self.space, self._pwrite = space, os.pwrite
        monkeypatch.setattr(os, 'pwrite', self.pwrite)

    def pwrite(self, fd, data, start):
        if len(data) and not self.space:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._pwrite(fd, data[: self.space], start)
        self.space -= written
        return written


@pytest.mark.parametrize('space', [0, 5, 20, 50, 64])
def test_a_full_disk_harms_no_marked_row(folder, monkeypatch, space):
    fill(folder, [1, 10, 20])
    disk = SmallDisk(monkeypatch, space)
    store, rows = opened(folder), np.array([2, 11, 21])
    with pytest.raises(OSError, match='rows that are marked') as found:
        store.write(rows, content(rows))
        store.close()
    assert found.value.errno == errno.ENOSPC
    assert Path(found.value.filename).parent == folder
    assert set(state(folder)) >= {1, 10, 20}
    disk.space = 10_000
    store.write(rows, content(rows))
    store.close()
    assert state(folder) == [1, 2, 10, 11, 20, 21]


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EIO])
def test_an_error_of_the_thread_is_raised_by_the_next_write(folder, monkeypatch, number):
    sync, broken = os.fdatasync, os.stat(shard_of(folder, 1))

    def fail(fd):
        if os.path.samestat(os.fstat(fd), broken):
            raise OSError(number, os.strerror(number))
        sync(fd)

    monkeypatch.setattr(os, 'fdatasync', fail)
    store = opened(folder, flush_interval=0.001)
    store.write(np.array([1, 10]), content([1, 10]))
    wait_until(lambda: store._unmarked._error is not None)
    wait_until(lambda: state(folder) == [10])  # of another file
    monkeypatch.setattr(os, 'fdatasync', sync)
    with pytest.raises(OSError, match=str(shard_of(folder, 1))) as found:
        store.write(np.array([2]), content([2]))
    assert found.value.errno == number
    store.write(np.array([1]), content([1]))
    store.close()
    assert state(folder) == [1, 10]


def test_reading_goes_on_while_rows_are_marked(tmp_path):
    RowStore.create(tmp_path, 5000, ROW_BYTES, SHARD_BYTES * 100)
    rows, seen = np.arange(5000), set()

    def read(store):
        while not done.is_set():
            stored = rows[store.has(rows)][-100:]
            assert torch.equal(store.read(stored), content(stored))
            seen.add(len(stored))

    done = threading.Event()
    with (
        RowStore.open(tmp_path, 5000, ROW_BYTES, True, flush_interval=1e-4) as store,
        ThreadPoolExecutor() as pool,
    ):
        readers = [pool.submit(read, store) for _ in range(2)]
        for row in rows.tolist():
            store.write(np.array([row]), content([row]))
        done.set()
        for reader in readers:
            reader.result()
    assert seen
