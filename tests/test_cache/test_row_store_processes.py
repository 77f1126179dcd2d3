"""Several processes use a store at once, and are killed at any moment."""

import errno
import os
import signal
import time

import mmvitkd  # noqa: F401
from mmvitkd.cache.row_store import RowStore

import numpy as np
import torch
from torch.utils.data import DataLoader

NUM_ROWS, ROW_BYTES, SHARD_BYTES = 60, 10_000, 100_000
NEVER = 1e6  # seconds
ROWS = np.arange(NUM_ROWS)


def content(rows):
    return torch.stack([torch.full((ROW_BYTES,), int(r) + 1, dtype=torch.uint8) for r in rows])


def create(folder):
    RowStore.create(folder, NUM_ROWS, ROW_BYTES, SHARD_BYTES)


def opened(folder, writable=True, flush_interval=NEVER):
    return RowStore.open(folder, NUM_ROWS, ROW_BYTES, writable, flush_interval)


def state(folder):
    """The numbers of the stored rows, which all must be whole."""
    with opened(folder, writable=False) as store:
        assert list(store.damaged_rows()) == []
        stored = ROWS[store.has(ROWS)]
        assert len(stored) == 0 or torch.equal(store.read(stored), content(stored))
    return stored.tolist()


def start(function, *args):
    """Run a function in a forked process; return its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        function(*args)
        code = 0
    finally:
        os._exit(code)


def end(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def write_in_batches(folder, rows, flush_interval=NEVER):
    with opened(folder, flush_interval=flush_interval) as store:
        for batch in np.split(rows, range(3, len(rows), 3)):
            store.write(batch, content(batch))
            store.flush()


def killed_at(folder, rows, number):
    """Write rows, but be killed at a write; half of it is done if it is one of a row."""
    real, count = os.pwrite, 0

    def pwrite(fd, data, at):
        nonlocal count
        count += 1
        if count == number:
            if len(data) > 4:
                real(fd, data[: len(data) // 2], at)
            os.kill(os.getpid(), signal.SIGKILL)
        return real(fd, data, at)

    os.pwrite = pwrite
    write_in_batches(folder, rows)


def test_killed_at_any_write(tmp_path):
    create(tmp_path)
    rows = np.array([0, 10, 11, 25, 1, 59])
    for number in range(1, 13):
        child = start(killed_at, tmp_path, rows, number)
        assert end(child) == -signal.SIGKILL
        whole_batches = 3 * ((number - 1) // 6)
        marks = max(0, (number - 1) % 6 - 3)
        assert len(state(tmp_path)) == whole_batches + marks, number
        with opened(tmp_path) as store:
            store.forget(ROWS)
    write_in_batches(tmp_path, rows)
    assert state(tmp_path) == sorted(rows)


def test_killed_while_the_thread_marks(tmp_path):
    create(tmp_path)

    def write_for_ever():
        store = opened(tmp_path, flush_interval=1e-4)
        while True:
            for row in ROWS:
                store.write(np.array([row]), content([row]))
            store.flush()
            store.forget(ROWS)

    counts = []
    for attempt in range(5):
        child = start(write_for_ever)
        time.sleep(0.05 * 2**attempt)  # the first ones may have marked nothing
        os.kill(child, signal.SIGKILL)
        assert end(child) == -signal.SIGKILL
        counts.append(len(state(tmp_path)))
    assert any(counts)
    write_in_batches(tmp_path, ROWS)
    assert state(tmp_path) == ROWS.tolist()


def test_several_processes_create_and_write_different_rows(tmp_path):
    def create_and_write(part):
        create(tmp_path)
        write_in_batches(tmp_path, ROWS[part::4], flush_interval=1e-4)
        assert set(state(tmp_path)) >= set(ROWS[part::4].tolist())

    children = [start(create_and_write, part) for part in range(4)]
    assert [end(child) for child in children] == [0] * 4
    assert state(tmp_path) == ROWS.tolist()


def test_a_process_sees_what_another_marks(tmp_path):
    create(tmp_path)
    with opened(tmp_path, writable=False) as store:
        assert not store.has(ROWS).any()
        assert end(start(write_in_batches, tmp_path, ROWS)) == 0
        assert store.has(ROWS).all()
        assert torch.equal(store.read(ROWS), content(ROWS))


def test_a_file_size_limit_is_a_full_disk(tmp_path):
    """A real error of the kernel: nothing is patched."""
    create(tmp_path)

    def write_a_little():
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        store = opened(tmp_path)
        try:
            store.write(ROWS[:10], content(ROWS[:10]))
        except OSError as error:
            assert error.errno == errno.EFBIG and 'shard-00000' in error.filename
        store.close()

    assert end(start(write_a_little)) == 0
    assert state(tmp_path) == [0, 1, 2, 3]


def test_a_forked_process_reads_and_leaves_the_rest_to_its_parent(tmp_path):
    create(tmp_path)
    write_in_batches(tmp_path, ROWS[:6])
    store = opened(tmp_path)
    store.write(ROWS[6:9], content(ROWS[6:9]))

    def read():
        assert torch.equal(store.read(ROWS[:6]), content(ROWS[:6]))
        store.close()

    assert end(start(read)) == 0
    assert state(tmp_path) == [0, 1, 2, 3, 4, 5]
    store.close()
    assert state(tmp_path) == ROWS[:9].tolist()


class Stored(torch.utils.data.Dataset):
    def __init__(self, store):
        self.store = store

    def __len__(self):
        return NUM_ROWS

    def __getitem__(self, index):
        return self.store.read(np.array([index]))[0]


def test_workers_of_a_data_loader_read(tmp_path):
    create(tmp_path)
    with opened(tmp_path, flush_interval=1e-4) as store:
        store.write(ROWS, content(ROWS))
        store.flush()
        loader = DataLoader(Stored(store), 20, num_workers=2, multiprocessing_context='fork')
        assert torch.equal(torch.cat(list(loader)), content(ROWS))
