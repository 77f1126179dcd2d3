"""Sub-images: where they lie, and that their small versions are those of the whole."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from projects.mdbn.mdbn.paired_images import PairedImages
from projects.mdbn.mdbn.patches import shrink_to_8_bit
from projects.mdbn.mdbn.subimages import extract_subimages, starts


def test_the_last_one_ends_with_the_side():
    assert starts(1200, 480, 240) == [0, 240, 480, 720]
    assert starts(600, 480, 240) == [0, 120]
    assert starts(400, 480, 240) == [0]


def test_they_are_cut_alike_from_all_versions(write, tmp_path):
    path = write('in/deep/a.png', 77, 64)
    count = extract_subimages(str(tmp_path / 'in'), tmp_path / 'out', [2, 3, 4], 48, 24)
    assert count == 4  # 72 x 60 pixels are left: rows from 0 and 24, columns from 0 and 12
    whole = np.asarray(Image.open(path))[:72, :60]
    last = 'deep/a_s004.png'
    assert np.array_equal(np.asarray(Image.open(tmp_path / 'out/HR' / last)), whole[24:, 12:])
    for scale in (2, 3, 4):
        small = shrink_to_8_bit(whole, scale)[24 // scale :, 12 // scale :]
        found = np.asarray(Image.open(tmp_path / f'out/LRx{scale}' / last))
        assert np.array_equal(found, small)
        dataset = PairedImages(
            str(tmp_path / 'out/HR'), scale, str(tmp_path / f'out/LRx{scale}')
        )
        assert len([dataset[i] for i in range(len(dataset))]) == 4


def test_an_existing_folder_stays(write, tmp_path):
    write('in/a.png', 50, 50)
    (tmp_path / 'out').mkdir()
    with pytest.raises(FileExistsError, match='out exists'):
        extract_subimages(str(tmp_path / 'in'), tmp_path / 'out', [2], 48, 24)


@pytest.mark.parametrize(('setting', 'value'), [('size', 100), ('step', 0)])
def test_sizes_fit_all_scales(tmp_path, setting, value):
    with pytest.raises(ValueError, match=f'{setting}={value}: .*12'):
        extract_subimages(str(tmp_path), Path('out'), [2], **{setting: value})


def test_a_folder_without_images(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'folder=.*no such folder'):
        extract_subimages(str(tmp_path / 'no'), tmp_path / 'out', [2])
    with pytest.raises(ValueError, match='no image'):
        extract_subimages(str(tmp_path), tmp_path / 'out', [2])


def test_two_images_that_differ_in_their_suffix_only(write, tmp_path):
    for name in ('in/a.png', 'in/sub/a.png', 'in/sub/a.bmp'):
        write(name, 48, 48)
    with pytest.raises(ValueError, match=r"'sub/a\.bmp' and 'sub/a\.png'.* sub/a_s001\.png"):
        extract_subimages(str(tmp_path / 'in'), tmp_path / 'out', [2], 48, 24)
    assert not (tmp_path / 'out').exists()


def test_an_image_that_is_too_small_is_named(write, tmp_path):
    write('in/a.png', 11, 40)
    with pytest.raises(ValueError, match=r"'a\.png' has 11 x 40 pixels; .* 12"):
        extract_subimages(str(tmp_path / 'in'), tmp_path / 'out', [2])
    assert not (tmp_path / 'out').exists()
