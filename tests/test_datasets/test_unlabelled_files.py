"""The images of a folder without classes, and of a list; what is wrong with others."""

import mmvitkd  # noqa: F401
from mmvitkd.datasets.unlabelled_files import find_unlabelled_files

import pytest
from folders import touch

NAMES = [f'{i:02}.jpg' for i in range(20)]


def message(kind, *args, **kwargs):
    with pytest.raises(kind) as error:
        find_unlabelled_files(*map(str, args), **kwargs)
    return str(error.value)


@pytest.mark.parametrize('below', ['', 'train', 'a/b'])
def test_a_seeded_share_is_held_out(tmp_path, below):
    touch(tmp_path / below, *NAMES)
    train, val, test = (
        find_unlabelled_files(str(tmp_path), split, val_ratio=0.3)
        for split in ('train', 'val', 'test')
    )
    assert train.seeded and val == test
    prefix = f'{below}/' if '/' in below else ''
    assert sorted(train.paths + val.paths) == [f'{prefix}{name}' for name in NAMES]
    assert len(val.paths) == 6
    assert val.paths != find_unlabelled_files(str(tmp_path), 'val', 0.3, 1).paths


def test_class_folders_are_folders_like_others(tmp_path):
    touch(tmp_path, 'cat/1.jpg', 'cat/.2.jpg', 'dog/a/3.PNG', '4.jpg', 'notes.md')
    found = find_unlabelled_files(str(tmp_path), 'train')
    val = find_unlabelled_files(str(tmp_path), 'val')
    assert sorted(found.paths + val.paths) == ['4.jpg', 'cat/1.jpg', 'dog/a/3.PNG']
    assert found.ignored == ['notes.md']


def test_a_folder_for_each_split(tmp_path):
    touch(tmp_path, 'train/1.jpg', 'val/a/2.jpg')
    train, val, test = (
        find_unlabelled_files(str(tmp_path), split) for split in ('train', 'val', 'test')
    )
    assert (train.folder, train.paths) == (str(tmp_path / 'train'), ['1.jpg'])
    assert (val.folder, val.paths) == (str(tmp_path / 'val'), ['a/2.jpg'])
    assert not train.seeded and test == val


def test_a_list_in_any_order_with_duplicates(tmp_path):
    touch(tmp_path, *NAMES)
    (tmp_path / 'list').write_text('\n\n'.join([*reversed(NAMES), *NAMES[:3]]) + '\r\n')
    parts = [find_unlabelled_files(f'{tmp_path}/list', split) for split in ('train', 'val')]
    assert [part.folder for part in parts] == [str(tmp_path)] * 2
    assert sorted(parts[0].paths + parts[1].paths) == NAMES
    assert parts[1].paths == find_unlabelled_files(str(tmp_path), 'val').paths


def test_a_path_in_the_home_folder(tmp_path, monkeypatch):
    touch(tmp_path / 'images', *NAMES)
    monkeypatch.setenv('HOME', str(tmp_path))
    assert find_unlabelled_files('~/images', 'val').folder == str(tmp_path / 'images')


def test_links_in_a_circle_end(tmp_path):
    touch(tmp_path, 'a/1.jpg', 'a/2.jpg')
    (tmp_path / 'a' / 'up').symlink_to(tmp_path)
    assert len(find_unlabelled_files(str(tmp_path), 'train').paths) == 1


# Errors -------------------------------------------------------------------------------


def test_no_such_folder(tmp_path):
    found = message(FileNotFoundError, tmp_path / 'no', 'train')
    assert found.startswith(
        f"data_root='{tmp_path}/no', split='train': there is no such folder"
    )
    assert 'or a text file' in found


def test_no_image(tmp_path):
    touch(tmp_path, 'notes.txt')
    assert 'there is no image (.jpg, ' in message(ValueError, tmp_path, 'train')
    touch(tmp_path, 'train/1.jpg', 'val/1.txt')
    assert f"in '{tmp_path}/val'" in message(ValueError, tmp_path, 'val')


def test_one_image(tmp_path):
    touch(tmp_path, '1.jpg')
    assert "found one image, '1.jpg'; wanted two" in message(ValueError, tmp_path, 'train')
    touch(tmp_path, 'train/1.jpg', 'val/1.jpg')
    assert find_unlabelled_files(str(tmp_path), 'train').paths == ['1.jpg']


def test_split_folders_without_train(tmp_path):
    touch(tmp_path, 'test/1.jpg')
    assert "found 'test' without 'train'" in message(ValueError, tmp_path, 'train')


def test_wrong_lists(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('\n')
    assert 'this list is empty' in message(ValueError, path, 'train')
    path.write_text('1.jpg 0\n2.jpg 1\n')
    touch(tmp_path, '1.jpg')
    assert "the first path of this list, '1.jpg 0', does" in message(
        FileNotFoundError, path, 'train'
    )
    path.write_bytes(b'PK\0\1')
    assert 'this file is not text' in message(ValueError, path, 'train')


def test_wrong_arguments(tmp_path):
    assert message(ValueError, tmp_path, 'valid').startswith("split='valid': wanted 'train'")
    assert 'val_ratio=1: ' in message(ValueError, tmp_path, 'val', val_ratio=1)
