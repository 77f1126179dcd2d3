"""Annotation files are checked before a run: the line that is wrong is named."""

import json
import os
import pickle
from logging import WARNING

import mmvitkd  # noqa: F401
from mmvitkd.datasets.annotation_file import check_annotation_file
from mmvitkd.utils.errors import KeyedFileNotFoundError, KeyedValueError

import mmengine
import pytest
from logged import logged
from mmpretrain.registry import DATASETS
from PIL import Image

KEY = 'train_dataloader.dataset'
LINES = [f'{"ab"[i % 2]} {i}.png {i % 3}' for i in range(7)]


@pytest.fixture
def folder(tmp_path):
    """Seven images of three classes, whose names have spaces."""
    (tmp_path / 'images').mkdir()
    for line in LINES:
        Image.new('RGB', (4, 4)).save(tmp_path / 'images' / line[:-2])
    return tmp_path


def dataset(folder, text, **more):
    """A data set of the images with this annotation file."""
    (folder / 'list.txt').write_bytes(text.encode())
    return dict(
        type='CustomDataset',
        data_root=str(folder),
        data_prefix='images',
        ann_file='list.txt',
        pipeline=[],
        **more,
    )


def message(dataset, num_classes=3, error=KeyedValueError):
    with pytest.raises(error) as raised:
        check_annotation_file(dataset, KEY, num_classes)
    assert raised.value.key == f'{KEY}.ann_file'
    return str(raised.value)


# Accepted -----------------------------------------------------------------------------


@pytest.mark.parametrize('end', ['', '\n', '\n\n\n', '\n  \n\t\n', '\r\n\r\n'])
@pytest.mark.parametrize('newline', ['\n', '\r\n'])
@pytest.mark.parametrize('kind', ['CustomDataset', 'mmpretrain.ImageNet', 'ImageNet21k'])
def test_mmpretrain_reads_what_is_accepted(folder, newline, end, kind):
    config = dataset(folder, newline.join(LINES) + end) | dict(type=kind)
    check_annotation_file(config, KEY, 3)
    assert [info['gt_label'] for info in DATASETS.build(config)] == [0, 1, 2, 0, 1, 2, 0]


def test_paths_without_labels(folder):
    config = dataset(folder, '\n'.join(line[:-2] for line in LINES) + '\n\n', with_label=False)
    check_annotation_file(config, KEY, 3)
    assert len(DATASETS.build(config)) == len(LINES)


def test_a_head_without_classes(folder):
    check_annotation_file(dataset(folder, 'a 0.png 99'), KEY, None)


def test_a_format_of_its_own_is_not_read():
    check_annotation_file(dict(type='CUB', ann_file='images.txt'), KEY, 200)
    check_annotation_file(dict(type='SomebodysDataset', ann_file='gone.txt'), KEY, 5)


def test_a_remote_file_is_not_read():
    check_annotation_file(dict(type='CustomDataset', ann_file='s3://bucket/a.txt'), KEY, 5)


# Refused ------------------------------------------------------------------------------


def test_labels_that_are_counted_from_1(folder):
    text = '\n'.join(f'{line[:-1]}{int(line[-1]) + 1}' for line in LINES)
    found = message(dataset(folder, text))
    assert f"{folder}/list.txt', line 3: found the label 3, wanted 0 to 2" in found
    assert 'num_classes=3' in found and 'counted from 1' in found


def test_a_label_beyond_the_classes(folder):
    text = '\n'.join([*LINES[:4], 'a 4.png 17', *LINES[5:]])
    found = message(dataset(folder, text))
    assert 'line 5: found the label 17' in found and 'counted from 1' not in found


def test_no_image_of_the_first_class(folder):
    with logged(WARNING) as lines:
        check_annotation_file(dataset(folder, 'a 0.png 0\nb 1.png 2'), KEY, 3)
        assert not lines
        check_annotation_file(dataset(folder, 'a 0.png 1\nb 1.png 2'), KEY, 3)
    assert 'no image has the label 0' in lines[0]


@pytest.mark.parametrize(
    'line',
    [
        'a 0.png,0',
        'a 0.png, 0,',
        'a 0.png\t0',
        'a 0.png;0',
        'a 0.png  0',  # MMPretrain would look for 'a 0.png '
        'a 0.png 0.0',
        'a 0.png -1',
        'a 0.png 1_0',  # int() takes it for 10
        'a 0.png \u0663',  # and this for 3
        'a 0.png cat',
        'a 0.png',
        '0',
        '',
    ],
    ids=ascii,
)
def test_a_line_in_another_format(folder, line):
    text = '\n'.join([LINES[0], line, LINES[2]])
    found = message(dataset(folder, text))
    assert f'line 2: found {line!r}, wanted a path, one space and a label' in found


@pytest.mark.parametrize('text', ['', '\n\n'])
def test_an_empty_file(folder, text):
    assert 'lists no image' in message(dataset(folder, text))


def test_other_encodings(folder):
    config = dataset(folder, '\ufeff' + LINES[0])
    assert 'line 1: it begins with a byte order mark' in message(config)
    (folder / 'list.txt').write_bytes(LINES[0].encode('utf-16'))
    assert "list.txt' cannot be read: 'utf-8'" in message(config)


def test_a_missing_file(folder):
    config = dataset(folder, '') | dict(ann_file='meta/val.txt')
    assert f"'{folder}/meta/val.txt'" in message(config, error=KeyedFileNotFoundError)


def test_a_missing_image(folder):
    config = dataset(folder, '\n'.join([*LINES, 'c.png 0']))
    found = message(config, error=KeyedFileNotFoundError)
    assert f"line 8: there is no such image: '{folder}/images/c.png'" in found
    message(dataset(folder, LINES[0]) | dict(data_prefix=''), error=KeyedFileNotFoundError)
    elsewhere = [dict(type='LoadImageFromFile', backend_args=dict(backend='petrel'))]
    check_annotation_file(config | dict(pipeline=elsewhere), KEY, 3)


def test_the_list_that_imagenet_finds_by_itself(folder):
    (folder / 'images').rename(folder / 'val')
    (folder / 'meta').mkdir()
    (folder / 'meta' / 'val.txt').write_text('\n'.join(LINES))
    config = dict(type='ImageNet', data_root=str(folder), split='val')
    check_annotation_file(config, KEY, 3)
    assert "meta/val.txt', line 2: found the label 1" in message(config, num_classes=1)


# JSON ---------------------------------------------------------------------------------


def json_dataset(folder, labels, kind='BaseDataset', **metainfo):
    items = [dict(img_path=line[:-2]) for line in LINES]
    for item, label in zip(items, labels, strict=False):
        item['gt_label'] = label
    content = dict(metainfo=metainfo, data_list=items)
    (folder / 'list.json').write_text(json.dumps(content))
    return dict(dataset(folder, ''), ann_file='list.json', type=kind)


@pytest.mark.parametrize(
    ('kind', 'labels'),
    [
        ('BaseDataset', [0, 1, 2, 0, 1, 2, 0]),
        ('MultiLabelDataset', [[0], [1, 2], [], [2], [0, 1], [0], [1]]),
        ('BaseDataset', []),
    ],
)
def test_fine_json(folder, kind, labels):
    config = json_dataset(folder, labels, kind, classes=['a', 'b', 'c'])
    check_annotation_file(config, KEY, 3)
    assert len(DATASETS.build(config)) == len(LINES)


@pytest.mark.parametrize('label', [3, [0, 3], '0', 1.0, None, True])
def test_a_wrong_label_in_json(folder, label):
    found = message(json_dataset(folder, [0, label, 2, 0, 1, 2, 0]))
    assert "list.json', data_list[1]: found " in found


def test_a_missing_label_in_json(folder):
    assert 'data_list[2]' in message(json_dataset(folder, [0, 1]))


def test_json_that_is_none(folder):
    config = json_dataset(folder, [])
    for text in ('{"data_list": [', '[]', '{"data_list": [{"img_path": "a"}]}'):
        (folder / 'list.json').write_text(text)
        assert f'{folder}/list.json' in message(config)


def test_names_in_json(folder):
    config = json_dataset(folder, [0] * 7, classes=['a', 'b'])
    assert 'found 2 class names (a, b), wanted 3' in message(config)
    check_annotation_file(config | dict(metainfo=dict(classes=['a', 'b', 'c'])), KEY, 3)


# What would be executed ---------------------------------------------------------------


class Payload:
    """Unpickled, it makes a folder."""

    def __init__(self, made):
        self.made = made

    def __reduce__(self):
        return os.mkdir, (str(self.made),)


@pytest.mark.parametrize('suffix', ['pkl', 'pickle', 'yaml', 'yml'])
def test_what_mmengine_would_execute(suffix, tmp_path):
    file, made = tmp_path / f'train.{suffix}', tmp_path / 'made'
    if suffix.startswith('p'):
        file.write_bytes(pickle.dumps(Payload(made)))
    else:
        file.write_text(f'!!python/object/apply:os.mkdir ["{made}"]')
    mmengine.load(file)
    made.rmdir()  # it does work
    assert suffix in message(dict(type='BaseDataset', ann_file=str(file)))
    assert not made.exists()
