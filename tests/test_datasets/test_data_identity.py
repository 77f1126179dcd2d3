"""The same training data are recognised, and what differs is named."""

import hashlib
import re
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.datasets import ImageFolder, SeededSamples
from mmvitkd.datasets.data_identity import (
    file_list,
    files_sha256,
    first_difference,
    pixel_checksums,
    pixel_versions,
    read_file_list,
    sample_of_views,
    write_file_list,
)
from mmvitkd.datasets.samplers.view_sampler import ViewIndex
from mmvitkd.utils import random_state

import numpy as np
import PIL
import pytest
import torch
from folders import touch, write_noise
from mmengine.dataset import ConcatDataset, RepeatDataset

NAMES = [f'train/{name}/{i}.png' for name in ('cat', 'dog') for i in range(4)]
PIPELINE = [
    dict(type='mmvitkd.LoadRandomResizedCrop', scale=8),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
FILES = [('cat/0.png', 10), ('cat/1.png', 20), ('dog/0.png', 30)]


def folder_of(root, **kwargs):
    return ImageFolder(str(root), pipeline=PIPELINE, val_ratio=0.5, **kwargs)


@pytest.fixture
def folder(tmp_path):
    """Eight images of two classes, four of which are for training."""
    write_noise(tmp_path / 'a', *NAMES)
    return tmp_path / 'a'


def test_the_files_are_in_the_order_of_the_data_set(folder):
    dataset = folder_of(folder)
    files = file_list(SeededSamples(dataset, 0))
    assert [f'{folder}/train/{name}' for name, _ in files] == [
        dataset.get_data_info(i)['img_path'] for i in range(4)
    ]
    assert [size for _, size in files] == [
        (folder / 'train' / name).stat().st_size for name, _ in files
    ]


def test_a_moved_folder_has_the_same_list(folder, tmp_path, monkeypatch):
    wanted = file_list(folder_of(folder))
    folder.rename(tmp_path / 'b')
    monkeypatch.chdir(tmp_path)
    assert file_list(folder_of('b')) == file_list(folder_of('./b/../b/')) == wanted


def test_wrappers_are_opened(folder):
    dataset = folder_of(folder)
    files = file_list(dataset)
    for wrapped in RepeatDataset(dataset, times=2), ConcatDataset([dataset, dataset]):
        assert file_list(SeededSamples(wrapped, 0)) == [*files, *files]


def test_data_without_files_are_known_by_type_and_length():
    class Pixels:
        def __len__(self):
            return 5

        def get_data_info(self, index):
            return dict(img=np.zeros((2, 2)), gt_label=0)

    [(name, length)] = file_list(SeededSamples(Pixels(), 0))
    assert (name.split('.')[-1], length) == ('Pixels', 5)
    assert file_list([1, 2, 3]) == [('builtins.list', 3)]


def test_a_missing_image_is_named(folder):
    dataset = folder_of(folder)
    path = dataset.get_data_info(2)['img_path']
    Path(path).unlink()
    with pytest.raises(FileNotFoundError, match=re.escape(path)):
        file_list(dataset)


def test_the_size_of_a_remote_image_is_not_known():
    class Remote:
        def __len__(self):
            return 2

        def get_data_info(self, index):
            return dict(img_path=f's3://bucket/train/{index}/image.jpg')

    assert file_list(Remote()) == [('0/image.jpg', -1), ('1/image.jpg', -1)]


def test_names_of_any_characters_survive_the_table(tmp_path):
    names = [
        'plain',
        'tab\t',
        'line\n',
        'return\r',
        'quote"',
        'Käse',
        b'\xff'.decode(errors='surrogateescape'),
    ]
    touch(
        tmp_path,
        *(f'{split}/{name}/{name}.png' for name in names for split in ('train', 'val')),
    )
    files = file_list(ImageFolder(str(tmp_path)))
    write_file_list(tmp_path / 'files.tsv', files)
    assert len(files) == len(names)
    assert read_file_list(tmp_path / 'files.tsv') == files


def test_the_sum_is_that_of_the_table(tmp_path):
    write_file_list(tmp_path / 'files.tsv', FILES)
    assert (
        files_sha256(FILES)
        == hashlib.sha256(
            b'path\tbytes\r\ncat/0.png\t10\r\ncat/1.png\t20\r\ndog/0.png\t30\r\n'
        ).hexdigest()
        == hashlib.sha256((tmp_path / 'files.tsv').read_bytes()).hexdigest()
    )


@pytest.mark.parametrize(
    ('content', 'line'),
    [
        ('', 0),
        ('name\tsize\n', 1),
        ('path\tbytes\na.png\t3\nb.png\n', 3),
        ('path\tbytes\na.png\tthree\n', 2),
        ('path\tbytes\n"a.png\t3\n', 2),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content, line):
    path = tmp_path / 'files.tsv'
    path.write_text(content)
    with pytest.raises(ValueError, match=rf'files\.tsv: .*line {line}: '):
        read_file_list(path)


@pytest.mark.parametrize(
    ('found', 'difference'),
    [
        (FILES, ''),
        (FILES[1:], 'missing: cat/0.png'),
        ([*FILES, ('dog/1.png', 3)], 'new: dog/1.png'),
        ([('cat/0.png', 11), *FILES[1:]], 'another size: cat/0.png (11, was 10)'),
        ([FILES[1], FILES[0], FILES[2]], 'another order: image 0 is cat/1.png, was cat/0.png'),
        ([*FILES, *FILES], 'another number of images: 6, was 3'),
        (
            [('cow/0.png', 10), ('cat/1.png', 21), FILES[2]],
            'missing: cat/0.png; new: cow/0.png; another size: cat/1.png (21, was 20)',
        ),
        ([], 'missing: cat/0.png, cat/1.png, dog/0.png'),
    ],
)
def test_what_differs_is_said_in_a_line(found, difference):
    assert first_difference(FILES, found) == difference


def test_of_many_differences_three_are_named():
    many = [(f'{i}.png', 1) for i in range(10)]
    assert first_difference(many, []) == 'missing: 0.png, 1.png, 2.png and 7 more'


def test_the_checksums_are_those_of_the_pixels(folder):
    dataset = SeededSamples(folder_of(folder), seed=3)
    views = [ViewIndex(2, 1), ViewIndex(0, 0, 1)]
    state = str(random_state.get_state())
    found = pixel_checksums(dataset, views)
    assert str(random_state.get_state()) == state
    for view, checksum in zip(views, found, strict=True):
        pixels = dataset[view]['inputs'].numpy().tobytes()
        wanted = hashlib.sha256(b'(3, 8, 8) torch.uint8 ' + pixels).hexdigest()
        assert checksum == wanted


@pytest.mark.parametrize(
    'other',
    [dict(seed=4), dict(view=ViewIndex(0, 1)), dict(view=ViewIndex(0, 0, 1)), dict(view=1)],
    ids=str,
)
def test_other_views_have_other_checksums(folder, other):
    def checksum(seed=3, view=0):
        return pixel_checksums(SeededSamples(folder_of(folder), seed), [view])

    assert checksum(**other) != checksum()


@pytest.mark.parametrize(
    'other', [torch.zeros(2, 6), torch.zeros(3, 4).short(), torch.zeros(3, 4, 1)], ids=str
)
def test_shape_and_type_are_part_of_a_checksum(other):
    zeros = dict(inputs=torch.zeros(3, 4)), dict(inputs=other)
    one, two = pixel_checksums(SeededSamples(zeros, 0), [0, 1])
    assert one != two


def test_a_transposed_image_can_be_summed_up():
    pixels = torch.arange(6).view(2, 3)
    items = dict(inputs=pixels.T.contiguous()), dict(inputs=pixels.T)
    one, two = pixel_checksums(SeededSamples(items, 0), [0, 1])
    assert one == two


@pytest.mark.parametrize(('views', 'repeats'), [(1, 1), (5, 3), (300, 1)])
def test_the_drawn_views_are_spread(views, repeats):
    drawn = sample_of_views(1024, views, repeats)
    rows = [(v.view * repeats + v.repeat) * 1024 + v for v in drawn]
    part = views * repeats * 1024 // 64
    assert [row // part for row in rows] == list(range(64))
    assert max(drawn) > 900 and min(drawn) < 100
    assert all(v.view < views and v.repeat < repeats for v in drawn)


def test_few_views_are_all_drawn():
    drawn = sample_of_views(3, 2, 2)
    assert [(v.view, v.repeat, int(v)) for v in drawn] == [
        (view, repeat, index) for view in (0, 1) for repeat in (0, 1) for index in (0, 1, 2)
    ]


def test_known_draws():
    """A checksum that is stored belongs to the same view in all versions."""
    assert sample_of_views(1000, 1, 1, count=4) == [182, 322, 654, 848]
    assert sample_of_views(1000, 1, 1, count=4, seed=1) == [155, 278, 646, 770]
    digest = hashlib.sha256(b'1/250').hexdigest()
    assert 250 + int(digest[:16], 16) % 250 == 278


def test_the_versions_are_those_of_what_is_imported():
    versions = pixel_versions()
    assert versions['Pillow'] == PIL.__version__
    assert versions['torch'] == torch.__version__.split('+')[0]
    assert not any('+' in version for version in versions.values())
