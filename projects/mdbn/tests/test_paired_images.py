"""Pairs of images: made or read, whole or cut, and what does not belong together."""

from mmvitkd.datasets import SeededSamples

import numpy as np
import pytest
import torch
from PIL import Image

from projects.mdbn.mdbn.paired_images import PairedImages
from projects.mdbn.mdbn.patches import shrink_to_8_bit

SIZE = 10  # of a patch of the small image


@pytest.fixture
def folder(write, tmp_path):
    write('hr/a.png', 41, 50, seed=1)
    write('hr/sub/b.png', 61, 47, seed=2)
    return str(tmp_path / 'hr')


def array(tensor):
    return tensor.numpy().transpose(1, 2, 0)


def test_a_whole_pair(folder):
    sample = PairedImages(folder, scale=3)[0]
    assert sample['name'] == 'a.png'
    assert sample['hr'].dtype == sample['inputs'].dtype == torch.uint8
    pixels = np.asarray(Image.open(f'{folder}/a.png'))[:39, :48]
    assert np.array_equal(array(sample['hr']), pixels)
    assert np.array_equal(array(sample['inputs']), shrink_to_8_bit(pixels, 3))


@pytest.mark.parametrize('scale', [2, 3, 4])
@pytest.mark.parametrize('is_read', [False, True])
def test_patches_are_cut_from_both_at_one_place(folder, tmp_path, scale, is_read):
    """Each is found, turned back, in the whole images."""
    if is_read:
        for name, stem in (('a.png', 'a'), ('sub/b.png', 'sub/b')):
            whole = PairedImages(folder, scale)
            small = array(whole[whole.names.index(name)]['inputs'])
            path = tmp_path / 'lr' / f'{stem}x{scale}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(small).save(path)
    lr_folder = str(tmp_path / 'lr') if is_read else None
    dataset = PairedImages(folder, scale, lr_folder, patch_size=SIZE * scale)
    hr, lr = (array(PairedImages(folder, scale)[1][key]) for key in ('hr', 'inputs'))
    seen = set()
    for _ in range(60):
        sample = dataset[1]
        assert sample['hr'].shape == (3, SIZE * scale, SIZE * scale)
        top, left, turn = find(array(sample['inputs']), lr)
        window = hr[scale * top : scale * (top + SIZE), scale * left : scale * (left + SIZE)]
        assert np.array_equal(array(sample['hr']), turned(window, turn))
        seen.add(turn)
    assert len(seen) == 8


def turned(image, turn, axes=(0, 1)):
    image = image.swapaxes(*axes) if turn >= 4 else image
    return np.rot90(image, turn % 4, axes)


def find(patch, image):
    """Return where a patch is in an image, and how it was turned."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (SIZE, SIZE), axis=(0, 1))
    windows = np.moveaxis(windows, 2, -1)  # (rows, columns, SIZE, SIZE, 3)
    for turn in range(8):
        places = np.argwhere((turned(windows, turn, (2, 3)) == patch).all((2, 3, 4)))
        if len(places):
            return *places[0], turn
    raise AssertionError('this patch is nowhere in the image')


def test_a_seeded_sample_is_the_same_again(folder):
    dataset = SeededSamples(PairedImages(folder, 2, patch_size=16), seed=3)
    first, _, again = dataset[0], dataset[1], dataset[0]
    assert all(torch.equal(first[key], again[key]) for key in ('inputs', 'hr'))


def test_grey_images_have_three_equal_channels(tmp_path):
    (tmp_path / 'grey').mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12), np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'grey' / 'a.png')
    hr = PairedImages(str(tmp_path / 'grey'), 2)[0]['hr']
    assert all(np.array_equal(channel, pixels) for channel in hr.numpy())


def test_a_patch_must_be_a_multiple_of_the_scale(folder):
    with pytest.raises(ValueError, match=r'patch_size=256: .* scale=3'):
        PairedImages(folder, 3, patch_size=256)


def test_a_scale_of_5(folder):
    with pytest.raises(ValueError, match='scale=5'):
        PairedImages(folder, 5)


def test_an_image_smaller_than_the_patch_is_named(folder):
    with pytest.raises(ValueError, match=r"patch_size=48: 'a\.png' .* 40 x 50 pixels"):
        PairedImages(folder, 2, patch_size=48)[0]


def test_small_images_of_another_size_are_named(folder, write, tmp_path):
    write('lr/a.png', 20, 24)
    write('lr/sub/b.png', 30, 23)
    dataset = PairedImages(folder, 2, str(tmp_path / 'lr'))
    dataset[1]
    with pytest.raises(ValueError, match=r'20 x 24 pixels; wanted 20 x 25.*41 x 50'):
        dataset[0]


def test_missing_small_images_are_named(folder, write, tmp_path):
    write('lr/a.png', 20, 25)
    with pytest.raises(ValueError, match=r'lr_folder.* 1 of 2 .*sub/b\.png'):
        PairedImages(folder, 2, str(tmp_path / 'lr'))


def test_one_image_is_enough_to_test_on_but_not_to_train_on(write, tmp_path):
    write('one/a.png', 20, 20)
    assert len(PairedImages(str(tmp_path / 'one'), 2)) == 1
    with pytest.raises(ValueError, match=r"hr_folder.* one image, 'a.png'"):
        PairedImages(str(tmp_path / 'one'), 2, patch_size=16)


def test_a_folder_without_images(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'hr_folder=.*no such folder'):
        PairedImages(str(tmp_path / 'no'), 2)
    with pytest.raises(ValueError, match=r'hr_folder=.*no image'):
        PairedImages(str(tmp_path), 2)


def test_an_image_smaller_than_the_scale_is_named(write, tmp_path):
    write('hr/a.png', 3, 20)
    with pytest.raises(ValueError, match=r"hr_folder=.*'a\.png' has 3 x 20 .*scale=4"):
        PairedImages(str(tmp_path / 'hr'), 4)[0]


def test_a_small_image_of_the_same_name_comes_first(write, tmp_path):
    for name in ('a.png', 'ax2.png'):
        write(f'hr/{name}', 20, 20)
        write(f'lr/{name}', 10, 10, seed=len(name))
    dataset = PairedImages(str(tmp_path / 'hr'), 2, str(tmp_path / 'lr'))
    for sample in dataset:
        pixels = np.asarray(Image.open(tmp_path / 'lr' / sample['name']))
        assert np.array_equal(array(sample['inputs']), pixels)


def test_a_small_image_of_two_large_ones_is_named(write, tmp_path):
    for name in ('hr/a.png', 'hr/ax2.png', 'lr/ax2.png'):
        write(name, 20, 20)
    with pytest.raises(ValueError, match=r"lr_folder.*ax2\.png' .* 'a\.png' and 'ax2\.png'"):
        PairedImages(str(tmp_path / 'hr'), 2, str(tmp_path / 'lr'))
