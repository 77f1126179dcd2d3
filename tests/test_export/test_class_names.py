"""The names of a student's classes."""

import mmvitkd  # noqa: F401
from mmvitkd.export.class_names import class_names

import pytest
from mmpretrain.datasets.categories import IMAGENET_CATEGORIES
from toy_students import NAMES, training


def trained_on(*names):
    return dict(meta=dict(dataset_meta=dict(classes=list(names))))


def test_names_from_the_checkpoint():
    cfg = training('plain')
    cfg.test_dataloader.dataset.classes = ['other'] * 5
    assert class_names(cfg, trained_on(*NAMES), 5) == NAMES


@pytest.mark.parametrize('form', ['classes', 'file', 'metainfo'])
def test_names_from_the_data_set_of_the_config(tmp_path, form):
    cfg = training('plain', tmp_path / 'gone')
    if form == 'metainfo':
        cfg.test_dataloader.dataset.metainfo = dict(classes=NAMES)
    elif form == 'file':
        (tmp_path / 'names.txt').write_text('\n'.join(NAMES))
        cfg.test_dataloader.dataset.classes = str(tmp_path / 'names.txt')
    else:
        cfg.test_dataloader.dataset.classes = list(NAMES)
    assert class_names(cfg, dict(state_dict={}), 5) == NAMES


def test_names_of_imagenet_need_no_images():
    cfg = training('plain')
    cfg.test_dataloader.dataset = dict(type='ImageNet', data_root='gone', split='val')
    assert class_names(cfg, {}, 1000) == tuple(IMAGENET_CATEGORIES)


def test_no_names_where_they_are_not_known():
    assert class_names(training('plain'), {}, 5) is None


def test_another_number_of_names_is_an_error():
    message = r'the checkpoint names 5 classes \(ant, bee, cat, \.\.\.\), but .* has 6'
    with pytest.raises(ValueError, match=message):
        class_names(training('plain'), trained_on(*NAMES), 6)


@pytest.mark.parametrize('kind', ['KFoldDataset', 'ConcatDataset'])
def test_names_of_a_wrapped_data_set(kind):
    cfg = training('plain')
    inner = dict(cfg.test_dataloader.dataset, classes=list(NAMES))
    wraps = dict(dataset=inner) if kind == 'KFoldDataset' else dict(datasets=[inner, inner])
    cfg.test_dataloader.dataset = dict(type=kind, **wraps)
    assert class_names(cfg, {}, 5) == NAMES
