"""Batches of a list's images, some of which cannot be read."""

import mmvitkd  # noqa: F401
from mmvitkd.datasets.image_batches import ImageBatches
from mmvitkd.datasets.image_list import find_images
from mmvitkd.datasets.transforms.load_image import UnreadableImageError, read_image

import pytest
import torch
from folders import touch, write_noise

NAMES = [f'{c}/{i}.png' for c in 'abc' for i in range(3)]


def preprocess(path):
    return torch.from_numpy(read_image(path).copy()).permute(2, 0, 1)


@pytest.fixture
def folder(tmp_path):
    return str(write_noise(tmp_path, *NAMES))


@pytest.mark.parametrize('num_workers', [0, 2])
@pytest.mark.parametrize('batch_size', [1, 4, 9, 20])
def test_all_images_in_their_order(folder, batch_size, num_workers):
    images = find_images(folder)
    batches = ImageBatches(images, preprocess, batch_size, num_workers)
    seen = list(batches)
    assert len(seen) == len(batches) == -(-9 // batch_size)
    assert [len(batch.indices) for batch in seen[:-1]] == [batch_size] * (len(seen) - 1)
    assert torch.cat([batch.indices for batch in seen]).tolist() == list(range(9))
    assert torch.cat([batch.labels for batch in seen]).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    wanted = torch.stack([preprocess(images.file(i)) for i in range(9)])
    assert torch.equal(torch.cat([batch.images for batch in seen]), wanted)
    assert batches.unreadable == {}


@pytest.mark.parametrize('num_workers', [0, 2])
def test_unreadable_images_are_left_out_counted_and_named(folder, num_workers):
    touch(folder, 'a/1.png', 'b/0.png', 'b/1.png', 'b/2.png')  # empty files
    batches = ImageBatches(find_images(folder), preprocess, 3, num_workers)
    for _ in range(2):  # a second pass is as the first
        seen = list(batches)
        assert [batch.indices.tolist() for batch in seen] == [[0, 2], [6, 7, 8]]
        assert [batch.labels.tolist() for batch in seen] == [[0, 0], [2, 2, 2]]
        assert [len(batch.images) for batch in seen] == [2, 3]
        names = ['a/1.png', 'b/0.png', 'b/1.png', 'b/2.png']
        assert batches.unreadable == dict.fromkeys(names, 'the file is empty')
    assert len(batches) == 3


def test_images_without_labels(tmp_path):
    write_noise(tmp_path, '1.png', '2.png')
    (batch,) = ImageBatches(find_images(str(tmp_path)), preprocess)
    assert batch.labels is None and batch.indices.tolist() == [0, 1]


def test_random_states_stay(folder):
    before = torch.get_rng_state()
    list(ImageBatches(find_images(folder), preprocess, 4))
    assert torch.equal(torch.get_rng_state(), before)


def test_images_are_read_when_they_are_asked_for(folder):
    read = []

    def noting(path):
        read.append(path)
        return preprocess(path)

    iterator = iter(ImageBatches(find_images(folder), noting, 2))
    assert not read
    next(iterator)
    assert len(read) == 2


def test_different_sizes(tmp_path):
    write_noise(tmp_path, '1.png')
    write_noise(tmp_path, '2.png', size=(9, 6, 3))
    with pytest.raises(ValueError, match=r'sizes: \(3, 8, 6\), \(3, 9, 6\); the evaluation'):
        list(ImageBatches(find_images(str(tmp_path)), preprocess))


def test_only_unreadable_images_are_left_out(folder):
    def broken(path):
        raise KeyError(path)

    with pytest.raises(KeyError):
        list(ImageBatches(find_images(folder), broken))

    def unreadable(path):
        raise UnreadableImageError(path, 'why')

    batches = ImageBatches(find_images(folder), unreadable)
    assert list(batches) == []
    assert batches.unreadable == dict.fromkeys(NAMES, 'why')
