"""The folder of a cache: what it needs, and that two processes create it once."""

import threading

import mmvitkd  # noqa: F401
from mmvitkd.cache.header import read_header
from mmvitkd.cache.row_store import RowStore
from mmvitkd.cache.view_set import ViewSet
from mmvitkd.models.teachers import cache_folder as module
from mmvitkd.models.teachers.cache_folder import (
    check_views,
    create_cache,
    find_header,
    needed_bytes,
)
from mmvitkd.utils.folder_lock import LOCK

import numpy as np
import pytest


def views(planned=None, num_images=10, repeats=1, **changes):
    """Two views of some images."""
    every = [(v, r, np.arange(num_images)) for v in range(2) for r in range(repeats)]
    given = dict(
        num_images=num_images,
        views=2,
        repeats=repeats,
        seed=3,
        data=dict(train_pipeline=[]),
        versions=dict(Pillow='1.0'),
        files=lambda: [(f'{i}.png', i) for i in range(num_images)],
        checksums=lambda checked: [f'sha of {view}' for view in checked],
        planned=lambda: every if planned is None else planned,
    )
    return ViewSet(**given | changes)


def create(folder, given=None, row_bytes=8, teacher='a'):
    return create_cache(folder, given or views(), dict(name=teacher), dict(x={}), row_bytes)


def test_it_is_created_and_found(tmp_path):
    header = create(tmp_path / 'new' / 'cache')
    assert find_header(tmp_path / 'new' / 'cache') == header
    assert (header.num_rows, header.row_bytes, len(header.pixel_checks)) == (20, 8, 20)
    assert not (tmp_path / 'new' / 'cache' / LOCK).exists()
    check_views(tmp_path / 'new' / 'cache', header, views(), False, True)


def test_a_folder_that_is_missing_or_empty_becomes_one(tmp_path):
    assert find_header(tmp_path) is None
    assert find_header(tmp_path / 'missing') is None


def test_the_first_of_several_processes_creates_it(tmp_path):
    """With rows of another size, and another teacher, than those that come later."""
    folder, found = tmp_path / 'cache', []
    threads = [
        threading.Thread(target=lambda i=i: found.append(create(folder, None, 8 * i, str(i))))
        for i in range(1, 5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    header = read_header(folder)
    assert found == [header] * 4
    RowStore.open(folder, header.num_rows, header.row_bytes, writable=False).close()


def test_what_it_needs():
    assert needed_bytes(views(), 96) == 20 * 100
    assert needed_bytes(views([(0, 0, np.arange(2))]), 10**6) == 2 * (10**6 + 4 + module.PAGE)
    # Holes smaller than a page save nothing.
    assert needed_bytes(views([(0, 0, np.arange(9))]), 96) == 20 * 100


def test_there_is_no_space(tmp_path):
    with pytest.raises(ValueError, match=r'needs .*TiB for 2 views of 10 images'):
        create(tmp_path / 'cache', row_bytes=10**13)
    assert not (tmp_path / 'cache').exists()


def test_empty_shards_without_a_header_are_replaced(tmp_path):
    RowStore.create(tmp_path, 20, 12)
    assert create(tmp_path).row_bytes == 8


def test_a_shard_that_was_being_written_is_replaced(tmp_path):
    (tmp_path / 'shard-00000-of-00001.safetensors').write_bytes(b'\x30\0\0\0')
    assert create(tmp_path).row_bytes == 8


@pytest.mark.parametrize(
    ('changes', 'wanted'),
    [
        (dict(seed=4), 'seed 3'),
        (dict(views=3), 'holds 2 views'),
        (dict(repeats=3), 'repeats: 1 in the cache, 3 in this run'),
        (dict(data=dict(train_pipeline=[1])), 'train_pipeline[0]: not in the cache, 1'),
        (dict(versions=dict(Pillow='2.0')), "versions.Pillow: '1.0' in the cache, '2.0'"),
        (dict(files=lambda: [(f'{i}.png', 1) for i in range(10)]), 'another size: 0.png'),
        (dict(num_images=9), 'missing: 9.png'),
        (dict(checksums=lambda checked: ['?'] * len(checked)), 'the pixels of 0.png, view 0'),
    ],
)
def test_another_training(tmp_path, changes, wanted):
    header = create(tmp_path)
    with pytest.raises(ValueError, match=r'teacher_cache: ') as found:
        check_views(tmp_path, header, views(**changes), False, True)
    assert wanted in str(found.value) and str(tmp_path) in str(found.value)


def test_a_process_that_is_not_the_first_of_its_machine_reads_no_image(tmp_path):
    def fail(*_):
        raise AssertionError

    header = create(tmp_path)
    check_views(tmp_path, header, views(files=fail, checksums=fail), False, False)
