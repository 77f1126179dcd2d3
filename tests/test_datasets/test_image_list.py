"""The images of a folder are listed in a fixed order."""

import mmvitkd  # noqa: F401
from mmvitkd.datasets import ImageFolder
from mmvitkd.datasets.image_list import find_images

import pytest
from folders import touch


def test_class_folders(tmp_path):
    touch(tmp_path, 'b/1.png', 'a/2.JPG', 'a/1.webp', 'b/c/0.png', 'a-b/1.png')
    found = find_images(str(tmp_path))
    assert found.paths == ('a/1.webp', 'a/2.JPG', 'a-b/1.png', 'b/1.png', 'b/c/0.png')
    assert found.labels == (0, 0, 1, 2, 2)
    assert found.classes == ('a', 'a-b', 'b')
    assert len(found) == 5
    assert found.file(3) == str(tmp_path / 'b' / '1.png')


def test_no_class_folders(tmp_path):
    touch(tmp_path, '2.png', '10.png', '1.JPEG')
    found = find_images(str(tmp_path))
    assert found.paths == ('1.JPEG', '10.png', '2.png')
    assert found.labels is found.classes is None


def test_images_next_to_class_folders_have_no_class(tmp_path):
    touch(tmp_path, 'b.png', 'a/1.png', 'c/1.png')
    found = find_images(str(tmp_path))
    assert found.paths == ('a/1.png', 'b.png', 'c/1.png')
    assert found.labels is found.classes is None


def test_the_order_and_the_labels_are_those_of_the_data_set(tmp_path):
    names = [f'val/{c}/{i}.png' for c in ('b', 'a-b', 'a') for i in (10, 9, 'x/1')]
    touch(tmp_path, *names, 'train/a/1.png', 'train/a-b/1.png', 'train/b/1.png')
    dataset = ImageFolder(str(tmp_path), 'val')
    info = [dataset.get_data_info(i) for i in range(len(dataset))]
    found = find_images(str(tmp_path / 'val'))
    assert [found.file(i) for i in range(len(found))] == [x['img_path'] for x in info]
    assert list(found.labels) == [x['gt_label'] for x in info]


def test_what_is_skipped(tmp_path):
    touch(tmp_path, 'a/1.png', 'b/1.png', 'a/.1.png', '.a/1.png', '__MACOSX/1.png', 'a/1.txt')
    touch(tmp_path, 'notes.txt', '.hidden.png')
    (tmp_path / 'empty').mkdir()
    found = find_images(str(tmp_path))
    assert found.paths == ('a/1.png', 'b/1.png')
    assert found.classes == ('a', 'b', 'empty')


def test_the_first_of_each_class(tmp_path):
    touch(tmp_path, 'a/2.png', 'a/1.png', 'c/x/2.png', 'c/x/1.png', 'b/1.txt')
    found = find_images(str(tmp_path), first_per_class=True)
    assert found.paths == ('a/1.png', 'c/x/1.png')
    assert found.labels == (0, 2)


@pytest.mark.parametrize(
    ('number', 'wanted'),
    [
        (2, 'a0 a3'),
        (3, 'a0 a2 b0'),
        (4, 'a0 a1 a3 b1'),
        (6, 'a0 a1 a2 a3 b0 b1'),
        (7, 'a0 a1 a2 a3 b0 b1 b2'),
        (8, 'a0 a1 a2 a3 b0 b1 b2'),
    ],
)
def test_some_images_are_spread_over_all(tmp_path, number, wanted):
    touch(tmp_path, *(f'a/a{i}.png' for i in range(4)), *(f'b/b{i}.png' for i in range(3)))
    found = find_images(str(tmp_path), num_images=number)
    assert found.paths == tuple(f'{name[0]}/{name}.png' for name in wanted.split())
    assert found.labels == tuple('ab'.index(name[0]) for name in wanted.split())


def test_one_in_fifty_of_equal_classes_is_the_first_of_each(tmp_path):
    touch(tmp_path, *(f'{c}/{i}.png' for c in 'abcd' for i in range(50, 100)))
    some, first = find_images(str(tmp_path), num_images=4), find_images(str(tmp_path), True)
    assert some == first and len(first) == 4


def test_some_of_the_first(tmp_path):
    touch(tmp_path, *(f'{c}/{i}.png' for c in 'abcd' for i in range(3)))
    found = find_images(str(tmp_path), first_per_class=True, num_images=2)
    assert found.paths == ('a/0.png', 'c/0.png')


def test_a_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    touch(tmp_path, 'images/1.png', 'images/2.png')
    assert find_images('~/images').file(0) == str(tmp_path / 'images' / '1.png')


@pytest.mark.parametrize(
    ('files', 'arguments', 'message'),
    [
        ([], {}, r"'.*': wanted two or more images \(\.jpg.*found 0"),
        (['a/1.txt', '1.txt'], {}, 'found 0'),
        (['a/1.png'], {}, 'found 1'),
        (['1.png'], {}, 'found 1'),
        (['a/1.png', 'b/1.txt'], dict(first_per_class=True), 'found 1'),
        (['1.png', '2.png'], dict(first_per_class=True), 'first_per_class needs class folders'),
        (['1.png', 'a/1.png'], dict(first_per_class=True), 'first_per_class needs class'),
        (['a/1.png', 'b/1.png'], dict(num_images=1), 'num_images=1: wanted two or more'),
        (
            ['train/a/1.png', 'val/a/1.png', 'notes/1.txt'],
            {},
            r"'.*' holds the splits 'train', 'val': give one of them",
        ),
        (['Validation/a/1.png'], {}, r"holds the splits 'Validation'"),
    ],
)
def test_folders_that_are_refused(tmp_path, files, arguments, message):
    touch(tmp_path, *files)
    with pytest.raises(ValueError, match=message):
        find_images(str(tmp_path), **arguments)


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone': there is no such folder"):
        find_images(str(tmp_path / 'gone'))
    touch(tmp_path, 'file.png')
    with pytest.raises(FileNotFoundError, match=r"file\.png': there is no such folder"):
        find_images(str(tmp_path / 'file.png'))
