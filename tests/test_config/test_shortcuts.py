"""Shortcuts reach every place that must agree with them."""

import mmvitkd  # noqa: F401
from mmvitkd.config.shortcuts import apply_shortcuts

import pytest
from mmengine.config import Config


def config(**kwargs):
    loader = dict(batch_size=2, dataset=dict(type='ImageFolder', data_root='a'))
    return Config(
        dict(
            model=dict(
                type='mmvitkd.FeatureDistill',
                architecture=dict(
                    data_preprocessor=dict(num_classes=10),
                    head=dict(type='LinearClsHead', num_classes=10),
                ),
                teacher=dict(head=dict(num_classes=10)),
            ),
            data_preprocessor=dict(mean=[0, 0, 0]),
            train_dataloader=dict(dataset=dict(type='RepeatDataset', **loader)),
            val_dataloader=loader,
            test_dataloader=loader,
            val_evaluator=[
                dict(type='Accuracy'),
                dict(type='SingleLabelMetric', num_classes=10),
            ],
            test_evaluator=dict(type='Accuracy', topk=1),
            **kwargs,
        )
    )


def test_classes_reach_all_but_the_teacher():
    cfg = config(num_classes=37)
    apply_shortcuts(cfg)
    student = cfg.model.architecture
    assert student.head.num_classes == 37
    assert student.data_preprocessor.num_classes == 37
    assert cfg.data_preprocessor.num_classes == 37
    assert [m.get('num_classes') for m in cfg.val_evaluator] == [None, 37]
    assert cfg.test_evaluator == dict(type='Accuracy', topk=1)
    assert cfg.model.teacher.head.num_classes == 10


def test_classes_of_a_plain_model():
    cfg = Config(dict(num_classes=3, model=dict(head=dict(num_classes=10))))
    apply_shortcuts(cfg)
    assert cfg.model.head.num_classes == 3


def test_classes_of_a_timm_model():
    cfg = Config(dict(num_classes=3, model=dict(type='TimmClassifier', model_name='test_vit')))
    apply_shortcuts(cfg)
    assert cfg.model.num_classes == 3


def test_classes_of_a_loss():
    loss = dict(type='LabelSmoothLoss', num_classes=10)
    cfg = Config(dict(num_classes=3, model=dict(head=dict(num_classes=10, loss=loss))))
    apply_shortcuts(cfg)
    assert cfg.model.head.loss.num_classes == 3


def test_the_folder_reaches_joined_data_sets():
    joined = dict(type='ConcatDataset', datasets=[dict(data_root='a'), dict(data_root='b')])
    cfg = Config(dict(data_root='c', train_dataloader=dict(dataset=joined)))
    apply_shortcuts(cfg)
    assert cfg.train_dataloader.dataset.datasets == [dict(data_root='c'), dict(data_root='c')]
    assert 'data_root' not in cfg.train_dataloader.dataset


def test_the_folder_reaches_every_data_set():
    cfg = config(data_root='b')
    apply_shortcuts(cfg)
    assert cfg.train_dataloader.dataset.dataset.data_root == 'b'
    assert 'data_root' not in cfg.train_dataloader.dataset
    assert cfg.val_dataloader.dataset.data_root == 'b'
    assert cfg.test_dataloader.dataset.data_root == 'b'


def test_without_the_keys_nothing_changes():
    cfg, untouched = config(), config()
    apply_shortcuts(cfg)
    assert cfg.to_dict() == untouched.to_dict()


@pytest.mark.parametrize(
    ('key', 'value'),
    [('num_classes', 1), ('num_classes', '37'), ('num_classes', True), ('data_root', None)],
)
def test_a_wrong_value_is_refused(key, value):
    with pytest.raises(ValueError, match=f'{key}={value!r}: '):
        apply_shortcuts(config(**{key: value}))
