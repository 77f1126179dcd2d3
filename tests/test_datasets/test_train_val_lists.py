"""Training and held-out images of a folder: the same as in a training with ImageFolder."""

import mmvitkd  # noqa: F401
from mmvitkd.datasets import ImageFolder
from mmvitkd.datasets.train_val_lists import find_train_val, spread

import pytest
from folders import touch

NAMES = [f'{name}/{i}.png' for name in 'ab' for i in range(10)]


def files(images):
    return [images.file(i) for i in range(len(images))]


def of_training(root, split, **kwargs):
    dataset = ImageFolder(str(root), split=split, lazy_init=True, pipeline=[], **kwargs)
    dataset.full_init()
    return [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]


@pytest.mark.parametrize('layout', ['classes', 'train', 'train and val'])
@pytest.mark.parametrize('classes', [True, False])
def test_they_are_those_of_image_folder(tmp_path, layout, classes):
    folders = {'classes': [''], 'train': ['train/'], 'train and val': ['train/', 'val/']}
    touch(tmp_path, *(f'{folder}{name}' for folder in folders[layout] for name in NAMES))
    found = find_train_val(str(tmp_path), 0.3, split_seed=5, classes=classes)
    for images, split in zip(found, ('train', 'val'), strict=True):
        wanted = of_training(tmp_path, split, val_ratio=0.3, split_seed=5, with_label=classes)
        assert files(images) == wanted
        assert images.classes == (('a', 'b') if classes else None)
        assert images.labels == (tuple('ab'.index(f[-7]) for f in wanted) if classes else None)


def test_a_flat_folder_and_a_list_of_paths_have_no_classes(tmp_path):
    touch(tmp_path, *(f'{i}.png' for i in range(10)))
    train, held_out = find_train_val(str(tmp_path))
    assert (len(train), len(held_out), train.labels) == (9, 1, None)
    paths = tmp_path / 'paths.txt'
    paths.write_text('\n'.join(f'{i}.png' for i in range(10)))
    assert [files(x) for x in find_train_val(str(paths))] == [files(train), files(held_out)]


def test_one_class_is_one_class(tmp_path):
    touch(tmp_path, *(f'a/{i}.png' for i in range(10)))
    train, held_out = find_train_val(str(tmp_path))
    assert (len(train), len(held_out), held_out.classes) == (9, 1, ('a',))


def test_a_class_of_one_image_is_trained_on(tmp_path):
    touch(tmp_path, 'a/0.png', 'a/1.png', 'b/0.png')
    train, held_out = find_train_val(str(tmp_path))
    assert (len(train), held_out.labels, held_out.classes) == (2, (0,), ('a', 'b'))
    touch(tmp_path / 'single', 'a/0.png', 'b/0.png')
    with pytest.raises(ValueError, match='one image in each class'):
        find_train_val(str(tmp_path / 'single'))


def test_labels_are_those_of_training(tmp_path):
    touch(tmp_path, 'train/a/0.png', 'train/b/0.png', 'val/b/1.png', 'val/b/2.png')
    _, held_out = find_train_val(str(tmp_path))
    assert (held_out.labels, held_out.classes) == ((1, 1), ('a', 'b'))
    touch(tmp_path, 'val/c/0.png')
    with pytest.raises(ValueError, match="lacks the classes 'c'"):
        find_train_val(str(tmp_path))


def test_one_image_and_none(tmp_path):
    with pytest.raises(FileNotFoundError, match='there is no such folder'):
        find_train_val(str(tmp_path / 'nowhere'))
    with pytest.raises(ValueError, match='found 0'):
        find_train_val(str(tmp_path))
    touch(tmp_path, '0.png')
    with pytest.raises(ValueError, match='found 1'):
        find_train_val(str(tmp_path))
    touch(tmp_path, '1.png')
    with pytest.raises(ValueError, match='val_ratio=1'):
        find_train_val(str(tmp_path), val_ratio=1)


def test_some_are_spread_over_all(tmp_path):
    touch(tmp_path, *NAMES)
    train, _ = find_train_val(str(tmp_path))
    some = spread(train, 4)
    assert some.labels == (0, 0, 1, 1)
    assert spread(train, 100) is spread(train, None) is train
    with pytest.raises(ValueError, match='found 0'):
        spread(train, 0)
