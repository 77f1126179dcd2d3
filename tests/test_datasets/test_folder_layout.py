"""The layouts of a folder of images, and what is wrong with others."""

import os

import mmvitkd  # noqa: F401
from mmvitkd.datasets.folder_layout import find_files, named

import pytest
from folders import touch

NAMES = [f'{kind}/{i}.jpg' for kind in ('cat', 'dog') for i in range(10)]


def paths_of(found):
    return [path for paths in found.files.values() for path in paths]


def message(kind, *args, **kwargs):
    with pytest.raises(kind) as error:
        find_files(*map(str, args), **kwargs)
    return str(error.value)


# Layouts ------------------------------------------------------------------------------


def test_a_folder_for_each_split(tmp_path):
    touch(tmp_path, 'train/cat/1.jpg', 'train/dog/2.jpg', 'val/cat/3.jpg', 'val/dog/4.jpg')
    for split, paths in (
        ('train', ['cat/1.jpg', 'dog/2.jpg']),
        ('val', ['cat/3.jpg', 'dog/4.jpg']),
    ):
        found = find_files(str(tmp_path), split)
        assert found.folder == str(tmp_path / split)
        assert (paths_of(found), found.seeded) == (paths, False)
        assert list(found.files) == ['cat', 'dog']


def test_test_is_its_own_folder_or_val(tmp_path):
    touch(tmp_path, 'train/cat/1.jpg', 'train/dog/2.jpg', 'val/cat/3.jpg', 'val/dog/4.jpg')
    assert find_files(str(tmp_path), 'test') == find_files(str(tmp_path), 'val')
    touch(tmp_path, 'test/cat/5.jpg')
    found = find_files(str(tmp_path), 'test')
    assert found.files == {'cat': ['cat/5.jpg'], 'dog': []}


@pytest.mark.parametrize('below', ['', 'train'])
def test_without_val_a_share_of_each_class_is_held_out(tmp_path, below):
    touch(tmp_path / below, *NAMES)
    train, val, test = (
        find_files(str(tmp_path), split, val_ratio=0.3) for split in ('train', 'val', 'test')
    )
    assert train.folder == val.folder == os.path.join(tmp_path, below).rstrip('/')
    assert train.seeded and val.seeded
    assert val == test
    assert sorted(paths_of(train) + paths_of(val)) == NAMES
    assert [len(paths) for paths in val.files.values()] == [3, 3]
    assert [name.split('/')[1] for name in val.files['cat']] != [
        name.split('/')[1] for name in val.files['dog']
    ]
    assert paths_of(train) == sorted(paths_of(train))


def test_a_held_out_share_does_not_depend_on_where_the_folder_is(tmp_path):
    folders = touch(tmp_path / 'a', *NAMES), touch(tmp_path / 'b' / 'train', *reversed(NAMES))
    first, second = (find_files(str(f), 'val', split_seed=3) for f in folders)
    assert first.files == second.files == find_files(str(tmp_path / 'b'), 'val', 0.1, 3).files
    assert first.files != find_files(str(folders[0]), 'val', split_seed=4).files


def test_test_without_val_leaves_training_its_seeded_split(tmp_path):
    touch(tmp_path / 'train', *NAMES)
    touch(tmp_path / 'test', *NAMES)
    assert len(paths_of(find_files(str(tmp_path), 'train'))) == 18
    assert len(paths_of(find_files(str(tmp_path), 'val'))) == 2
    assert len(paths_of(find_files(str(tmp_path), 'test'))) == 20


def test_nested_and_hidden_and_linked(tmp_path):
    touch(tmp_path / 'elsewhere', 'x/1.jpg')
    root = touch(
        tmp_path / 'root',
        *('train/cat/b/1.jpg', 'train/cat/b-/2.jpg', 'train/cat/3.jpg', 'train/dog/1.jpg'),
        *('train/cat/.4.jpg', 'train/cat/.cache/5.jpg', 'train/.git/6.jpg'),
        *('train/cat/__MACOSX/7.jpg', 'train/__MACOSX/cat/8.jpg', '.DS_Store'),
        *('val/cat/9.jpg', 'val/dog/9.jpg', 'val/eel/9.jpg'),
    )
    (root / 'train' / 'eel').symlink_to(tmp_path / 'elsewhere', target_is_directory=True)
    (root / 'train' / 'dog' / 'gone.jpg').symlink_to(tmp_path / 'gone.jpg')
    found = find_files(str(root), 'train')
    assert found.files == {
        'cat': ['cat/3.jpg', 'cat/b-/2.jpg', 'cat/b/1.jpg'],
        'dog': ['dog/1.jpg', 'dog/gone.jpg'],  # said to be missing when it is read
        'eel': ['eel/x/1.jpg'],
    }
    assert found.ignored == []


def test_cycles_of_links_are_followed_once(tmp_path):
    root = touch(tmp_path, 'cat/1.jpg', 'cat/a/2.jpg', 'cat/b/3.jpg', 'dog/4.jpg')
    for link, to in (
        *(('cat/again', 'cat'), ('cat/a/up', 'cat'), ('cat/b/up', 'cat')),  # 2 ** 40 paths
        *(('cat/dogs', 'dog'), ('dog/cats', 'cat')),
    ):
        (root / link).symlink_to(root / to, target_is_directory=True)
    files = find_files(str(root), 'train', val_ratio=0.01).files
    val = find_files(str(root), 'val', val_ratio=0.01).files
    assert sorted(files['cat'] + val['cat']) == [
        *('cat/1.jpg', 'cat/a/2.jpg', 'cat/b/3.jpg', 'cat/dogs/4.jpg'),
    ]
    assert len(files['dog'] + val['dog']) == 4


def test_links_to_one_folder_from_two_classes(tmp_path):
    root, shared = tmp_path / 'root', touch(tmp_path / 'shared', '1.jpg', '2.jpg')
    for name in ('cat', 'dog'):
        touch(root, f'{name}/3.jpg')
        (root / name / 'shared').symlink_to(shared, target_is_directory=True)
    found = find_files(str(root), 'train')
    assert [len(paths) for paths in found.files.values()] == [2, 2]  # one is held out


def test_a_path_in_the_home_folder(tmp_path, monkeypatch):
    touch(tmp_path / 'images', *NAMES)
    monkeypatch.setenv('HOME', str(tmp_path))
    assert find_files('~/images', 'val').folder == str(tmp_path / 'images')


def test_other_files_are_ignored_by_their_ending(tmp_path):
    touch(tmp_path, *NAMES, 'cat/a.TIFF', 'cat/b.WebP', 'cat/c.JPEG', 'notes.md', 'dog.jpg')
    touch(tmp_path, 'dog/labels.csv', 'dog/more/clip.mp4')
    found = find_files(str(tmp_path), 'train')
    assert found.ignored == ['dog.jpg', 'dog/labels.csv', 'dog/more/clip.mp4', 'notes.md']
    both = paths_of(found) + paths_of(find_files(str(tmp_path), 'val'))
    assert {'cat/a.TIFF', 'cat/b.WebP', 'cat/c.JPEG'} < set(both)


def test_endings_can_be_given(tmp_path):
    touch(tmp_path / 'train', 'cat/1.gif', 'dog/1.GIF', 'dog/2.jpg')
    touch(tmp_path / 'val', 'cat/1.gif')
    found = find_files(str(tmp_path), 'train', extensions=['.Gif'])
    assert paths_of(found) == ['cat/1.gif', 'dog/1.GIF']
    assert found.ignored == ['dog/2.jpg']


# Errors -------------------------------------------------------------------------------


def test_no_such_folder(tmp_path):
    assert message(FileNotFoundError, tmp_path / 'no', 'val') == (
        f"data_root='{tmp_path}/no', split='val': there is no such folder; set data_root to "
        'one with train/<class>/ or <class>/.'
    )


def test_no_class_folder(tmp_path):
    touch(tmp_path, '1.jpg', '2.jpg')
    assert f"there is no class folder in '{tmp_path}'" in message(ValueError, tmp_path, 'train')
    touch(tmp_path, 'train/1.jpg')
    assert f"class folder in '{tmp_path}/train'" in message(ValueError, tmp_path, 'train')


def test_one_class(tmp_path):
    touch(tmp_path, 'cat/1.jpg', 'cat/2.jpg')
    found = message(ValueError, tmp_path, 'train')
    assert "found one class, 'cat'; wanted two or more, or with_label=False" in found


def test_one_class_in_training_and_a_val_folder(tmp_path):
    touch(tmp_path, 'train/cat/1.jpg', 'val/cat/2.jpg')
    for split in ('train', 'val'):
        assert "found one class, 'cat'" in message(ValueError, tmp_path, split)


def test_empty_class_folders(tmp_path):
    touch(tmp_path, 'cat/1.jpg', 'dog/notes.txt', 'emu/1.jpg')
    (tmp_path / 'eel').mkdir()
    for split in ('train', 'val'):
        assert message(ValueError, tmp_path, split) == (
            f"data_root='{tmp_path}', split='{split}': there is no image in the class folders "
            "'dog', 'eel'."
        )


def test_no_image_at_all(tmp_path):
    touch(tmp_path, 'cat/1.txt', 'dog/1.raw')
    found = message(ValueError, tmp_path, 'train')
    assert 'there is no image (.jpg, .jpeg, .png' in found
    assert f"in '{tmp_path}'; wanted one folder of images per class." in found
    touch(tmp_path / 'b' / 'train', 'cat/1.jpg', 'dog/1.jpg')
    touch(tmp_path / 'b' / 'val', 'cat/1.txt')
    assert 'there is no image (.jpg' in message(ValueError, tmp_path / 'b', 'val')


@pytest.mark.parametrize('split', ['val', 'test'])
def test_a_class_that_training_lacks(tmp_path, split):
    touch(tmp_path, 'train/cat/1.jpg', 'train/dog/2.jpg')
    touch(tmp_path, f'{split}/cat/1.jpg', f'{split}/ant/1.jpg', f'{split}/Dog/1.jpg')
    assert message(ValueError, tmp_path, split) == (
        f"data_root='{tmp_path}', split='{split}': training has no class folders 'Dog', "
        f"'ant', which are in '{tmp_path}/{split}'."
    )


@pytest.mark.parametrize('name', ['valid', 'validation', 'Val'])
@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_val_under_another_name(tmp_path, name, split):
    touch(tmp_path / 'train', *NAMES)
    touch(tmp_path / name, *NAMES)
    found = message(ValueError, tmp_path, split)
    assert found.endswith(f"found '{name}' next to 'train'; rename it to 'val'.")


@pytest.mark.parametrize('names', [['Train', 'val'], ['test'], ['training', 'validation']])
def test_split_folders_without_train(tmp_path, names):
    for name in names:
        touch(tmp_path / name, *NAMES)
    listed = ', '.join(map(repr, names))
    found = message(ValueError, tmp_path, 'train')
    assert found.endswith(f"found {listed} without 'train'; wanted 'train' and 'val'.")


def test_a_class_with_a_single_image_cannot_be_split(tmp_path):
    touch(tmp_path / 'train', *NAMES, 'eel/1.jpg', 'emu/1.jpg')
    for split in ('train', 'val'):
        found = message(ValueError, tmp_path, split)
        assert "there is a single image in 'eel', 'emu'; wanted two" in found
    touch(tmp_path / 'val', *NAMES)
    assert find_files(str(tmp_path), 'train').files['eel'] == ['eel/1.jpg']


def test_a_folder_that_must_not_be_read(tmp_path, monkeypatch):
    touch(tmp_path, *NAMES, 'dog/locked/1.jpg')
    scan = os.scandir

    def locked(path):
        if str(path).endswith('locked'):
            raise PermissionError(13, 'Permission denied', path)
        return scan(path)

    monkeypatch.setattr(os, 'scandir', locked)
    with pytest.raises(PermissionError, match='locked'):
        find_files(str(tmp_path), 'train')


def test_wrong_arguments(tmp_path):
    assert message(ValueError, tmp_path, 'valid') == (
        "split='valid': wanted 'train', 'val', 'test'."
    )
    for share in (0, 1, -0.1, 10):
        with pytest.raises(ValueError, match=f'val_ratio={share}: '):
            find_files(str(tmp_path), 'train', val_ratio=share)


def test_long_lists_are_cut():
    assert named('abc', 2) == "'a', 'b' and 1 more"
    assert named('ab', 2) == "'a', 'b'"
