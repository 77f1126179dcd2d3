"""ImageFolder gives MMPretrain's samples, and replaces broken images."""

import os
import random

import mmvitkd  # noqa: F401

import numpy as np
import pytest
import torch
from folders import touch, write_noise
from logged import logged
from mmengine.dataset import default_collate
from mmpretrain.registry import DATASETS
from PIL import Image
from torch.utils.data import DataLoader

PIPELINE = [dict(type='mmvitkd.LoadImage'), dict(type='PackInputs')]
NAMES = [f'{kind}/{i}.png' for kind in ('cat', 'dog') for i in range(5)]


def build(root, split='train', kind='mmvitkd.ImageFolder', pipeline=PIPELINE, **kwargs):
    if split is not None:
        kwargs['split'] = split
    kwargs.setdefault('serialize_data', False)  # it collects garbage: half a second
    return DATASETS.build(dict(type=kind, data_root=str(root), pipeline=pipeline, **kwargs))


@pytest.fixture
def root(tmp_path):
    """Two classes, five images each for training and for validation."""
    for split in ('train', 'val'):
        write_noise(tmp_path / split, *NAMES)
    return tmp_path


@pytest.fixture
def log():
    with logged() as lines:
        yield lines


def data_of(dataset):
    return [dataset.get_data_info(i) for i in range(len(dataset))]


# The list of images -------------------------------------------------------------------


def test_the_same_list_as_mmpretrains(tmp_path):
    for split in ('train', 'val'):
        names = 'b/10.png', 'b/9.png', 'B/1.png', 'a b/x/2.png', 'a b/x.png', 'ä/é.JPG'
        touch(tmp_path / split, *names)
    for split in ('train', 'val'):
        theirs = build(tmp_path, None, 'CustomDataset', data_prefix=split)
        ours = build(tmp_path, split)
        assert data_of(ours) == data_of(theirs)
        assert ours.metainfo == theirs.metainfo


@pytest.mark.parametrize('kind', ['mmvitkd.ImageFolder', 'CustomDataset'])
def test_cycles_of_links_are_followed_once(root, kind):
    for name in ('up', 'again'):
        (root / 'train' / 'cat' / name).symlink_to(root / 'train' / 'cat')
    options = dict(split='train') if 'Folder' in kind else dict(split=None, data_prefix='train')
    dataset = build(root, kind=kind, **options)
    assert sorted(info['img_path'] for info in data_of(dataset)) == sorted(
        str(root / 'train' / name) for name in NAMES
    )


def test_the_split_of_one_folder(tmp_path):
    names = [f'{kind}/{i}.png' for kind in ('cat', 'dog') for i in range(20)]
    touch(tmp_path, *names)
    parts = [build(tmp_path, split, val_ratio=0.25) for split in ('train', 'val')]
    assert [len(part) for part in parts] == [30, 10]
    assert parts[0].metainfo == parts[1].metainfo == dict(classes=('cat', 'dog'))
    paths = [{info['img_path'] for info in data_of(part)} for part in parts]
    assert paths[0] | paths[1] == {str(tmp_path / name) for name in names}
    for part in parts:
        labels = {'cat': 0, 'dog': 1}
        for info in data_of(part):
            assert info['gt_label'] == labels[info['img_path'].split('/')[-2]]


def test_the_old_name_of_val_ratio(tmp_path, log):
    touch(tmp_path, *(f'{kind}/{i}.png' for kind in ('cat', 'dog') for i in range(8)))
    assert len(build(tmp_path, 'val', val_share=0.25)) == 4
    assert log[0] == 'WARNING ImageFolder: val_share is now called val_ratio.'


def test_neither_the_file_system_nor_random_states_decide(tmp_path, monkeypatch):
    touch(tmp_path, *(f'{kind}/{i}.png' for kind in ('cat', 'dog') for i in range(20)))
    wanted = data_of(build(tmp_path, 'val'))
    scan = os.scandir

    class Shuffled(list):
        def __init__(self, path):
            with scan(path) as entries:
                super().__init__(random.sample(entries := list(entries), len(entries)))

        def __enter__(self):
            return iter(self)

        def __exit__(self, *args):
            return None

        close = __exit__

        def __next__(self):
            if not self:
                raise StopIteration
            return self.pop()

    monkeypatch.setattr(os, 'scandir', Shuffled)
    for seed in range(3):
        random.seed(seed)
        np.random.seed(seed)
        assert data_of(build(tmp_path, 'val')) == wanted


def test_classes_in_another_order(root):
    dataset = build(root, 'val', classes=['dog', 'cat'])
    assert dataset.CLASSES == ('dog', 'cat')
    for info in data_of(dataset):
        assert info['gt_label'] == int('cat' in info['img_path'])
    (root / 'names.txt').write_text('dog\ncat\n')
    assert build(root, 'val', classes=str(root / 'names.txt')).CLASSES == ('dog', 'cat')


@pytest.mark.parametrize('classes', [['cat', 'hund'], ['cat'], ['cat', 'dog', 'dog']])
def test_classes_that_are_not_the_folders(root, classes):
    with pytest.raises(ValueError, match=r"classes: found 'cat'.*wanted .*: 'cat', 'dog'\.$"):
        build(root, classes=classes)


def test_what_is_logged(tmp_path, log):
    names = [f'{kind}/{i}.png' for kind in ('cat', 'dog') for i in range(5)]
    touch(tmp_path / 'a', *names, 'cat/1.txt', 'cat/2.txt', 'dog/3.txt', 'notes.md')
    build(tmp_path / 'a', val_ratio=0.2)
    assert log == [
        f"INFO train: 8 images of 2 classes in '{tmp_path}/a'; 20% of each class are held out "
        'for validation, seed 0',
        'INFO train: ignored 4 files that are not images or not in a class folder ('
        "'cat/1.txt', 'cat/2.txt', 'dog/3.txt' and 1 more)",
    ]


def test_a_class_that_val_lacks_is_a_warning(root, log):
    for path in (root / 'val' / 'dog').iterdir():
        path.unlink()
    dataset = build(root, 'val')
    assert len(dataset) == 5 and dataset.CLASSES == ('cat', 'dog')
    assert log[1:] == [f"WARNING val: '{root}/val' has no image of the classes 'dog'"]


def test_images_without_labels(tmp_path, log):
    """Flat, nested and listed; broken images are replaced as others are."""
    write_noise(tmp_path / 'images', *(f'{i}.png' for i in range(9)), 'a/b.png')
    parts = [build(tmp_path / 'images', split, with_label=False) for split in ('train', 'val')]
    assert [len(part) for part in parts] == [9, 1]
    assert log == [
        f"INFO train: 9 images without labels in '{tmp_path}/images'; 10% are held out for "
        'validation, seed 0',
        f"INFO val: 1 images without labels in '{tmp_path}/images'; 10% are held out for "
        'validation, seed 0',
    ]
    broken = parts[0].get_data_info(3)['img_path']
    break_images(tmp_path, broken)
    sample = parts[0][3]['data_samples']
    assert sample.unreadable == {broken: 'the file is empty'}
    assert 'gt_label' not in sample and sample.img_path != broken


def test_a_list_of_paths(tmp_path):
    write_noise(tmp_path / 'images', *(f'{i}.png' for i in range(4)))
    names = ['images/0.png', str(tmp_path / 'images/1.png'), 'images/2.png', 'gone.png']
    (tmp_path / 'list.txt').write_text('\n'.join(names))
    dataset = build(tmp_path / 'list.txt', with_label=False, val_ratio=0.25)
    paths = [info['img_path'] for info in data_of(dataset)]
    assert len(paths) == 3
    assert set(paths) < {str(tmp_path / name) for name in names}
    marks = [sample['data_samples'].get('unreadable', {}) for sample in dataset]
    if str(tmp_path / 'gone.png') in paths:
        assert [list(mark) for mark in marks if mark] == [[str(tmp_path / 'gone.png')]]


def test_labels_asked_of_images_without(tmp_path):
    write_noise(tmp_path, '0.png', '1.png')
    with pytest.raises(ValueError, match=r'no class folder in .* with_label=False'):
        build(tmp_path)
    with pytest.raises(ValueError, match=r"classes=\['a'\]: with_label=False"):
        build(tmp_path, with_label=False, classes=['a'])
    with pytest.raises(ValueError, match=r'with_label=False: these images have no labels'):
        build(tmp_path, with_label=False).get_gt_labels()


def test_lazy(tmp_path):
    dataset = build(tmp_path / 'gone', lazy_init=True)
    with pytest.raises(FileNotFoundError, match='no such folder'):
        dataset.full_init()


# Broken images ------------------------------------------------------------------------


def break_images(root, *names):
    for name in names:
        (root / name).write_bytes(b'')
    return [str(root / name) for name in names]


def test_without_broken_images_there_are_no_marks(root):
    for split in ('train', 'val'):
        assert not any('unreadable' in sample['data_samples'] for sample in build(root, split))


def test_training_replaces_a_broken_image(root):
    broken = break_images(root / 'train', 'cat/1.png')
    dataset = build(root, serialize_data=True)
    for index in range(len(dataset)):
        sample = dataset[index]['data_samples']
        assert sample.img_path not in broken
        own = dataset.get_data_info(index)['img_path']
        if own in broken:
            assert sample.unreadable == {own: 'the file is empty'}
            assert sample.gt_label.item() == int('dog' in sample.img_path)
        else:
            assert sample.img_path == own and 'unreadable' not in sample


def test_what_is_no_regular_file_or_too_large_is_replaced_by_name(root):
    fifo, large = break_images(root / 'train', 'cat/1.png', 'dog/2.png')
    os.unlink(fifo)
    os.mkfifo(fifo)
    Image.new('1', (8001, 8000)).save(large)
    reasons = {}
    for sample in build(root):
        reasons |= sample['data_samples'].get('unreadable', {})
    assert set(reasons) == {fifo, large}
    assert 'a FIFO' in reasons[fifo]
    assert '64008000 pixels, more than max_pixels=64000000' in reasons[large]


def test_the_replacement_depends_on_the_workers_seed(root):
    break_images(root / 'train', 'cat/1.png')
    dataset = build(root)

    def replacements(seed):
        np.random.seed(seed)
        return [dataset[1]['data_samples'].img_path for _ in range(8)]

    assert replacements(0) == replacements(0) != replacements(1)
    assert len(set(replacements(0))) > 2


def test_every_failed_replacement_is_named(root):
    names = [name for name in NAMES if name != 'dog/4.png']
    broken = break_images(root / 'train', *names)
    dataset = build(root)
    sample = dataset[0]['data_samples']
    assert sample.img_path.endswith('dog/4.png')
    assert next(iter(sample.unreadable)) == broken[0]
    assert set(sample.unreadable) <= set(broken)


@pytest.mark.parametrize('split', ['val', 'test'])
def test_validation_keeps_the_place_of_a_broken_image(root, split):
    broken = break_images(root / 'val', 'cat/1.png', 'cat/2.png', 'dog/4.png')
    dataset = build(root, split)
    for index in range(len(dataset)):
        info, data = dataset.get_data_info(index), dataset[index]
        sample = data['data_samples']
        assert sample.img_path == info['img_path']
        assert sample.gt_label.item() == info['gt_label']
        assert sample.sample_idx == index
        assert data['inputs'].shape == (3, 8, 6)
        if sample.img_path in broken:
            assert sample.unreadable[sample.img_path] == 'the file is empty'
            assert next(iter(sample.unreadable)) == sample.img_path
            assert not data['inputs'].any()
        else:
            assert 'unreadable' not in sample and data['inputs'].any()


def test_test_time_augmentation(root):
    broken = break_images(root / 'val', 'cat/0.png')
    flips = [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)]
    augment = dict(type='TestTimeAug', transforms=[flips, [dict(type='PackInputs')]])
    samples = build(root, 'val', pipeline=[PIPELINE[0], augment])[0]['data_samples']
    assert [list(sample.unreadable) for sample in samples] == [broken, broken]


@pytest.mark.parametrize('split', ['train', 'val'])
def test_nothing_but_broken_images(root, split):
    break_images(root / split, *NAMES)
    with pytest.raises(RuntimeError) as error:
        build(root, split, max_refetch=20)[0]
    found = str(error.value)
    assert found.startswith(f"data_root='{root}', split='{split}': none of 21 images in a row")
    assert found.endswith('.png: the file is empty.')


def test_mmpretrains_loader_returns_none(root):
    break_images(root / 'train', 'cat/1.png')
    loader = dict(type='LoadImageFromFile', ignore_empty=True)
    sample = build(root, pipeline=[loader, PIPELINE[1]])[1]['data_samples']
    assert list(sample.unreadable.values()) == ['the pipeline returned None']


@pytest.mark.parametrize('workers', [0, 2])
def test_marks_pass_through_a_loader(root, workers):
    broken = break_images(root / 'train', 'cat/1.png', 'dog/1.png')
    loader = DataLoader(build(root), 5, num_workers=workers, collate_fn=default_collate)
    marks = {}
    for batch in loader:
        assert isinstance(batch['inputs'], torch.Tensor)
        for sample in batch['data_samples']:
            marks |= sample.get('unreadable', {})
    assert sorted(marks) == broken


def test_wrapped_in_a_repetition(root):
    broken = break_images(root / 'train', 'cat/1.png')
    inner = dict(type='mmvitkd.ImageFolder', data_root=str(root), pipeline=PIPELINE)
    dataset = DATASETS.build(dict(type='RepeatDataset', times=2, dataset=inner))
    marks = [dataset[i]['data_samples'].get('unreadable') for i in range(len(dataset))]
    assert [list(mark) for mark in marks if mark] == [broken, broken]
