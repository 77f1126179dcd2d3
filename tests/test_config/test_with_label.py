"""`with_label=False` makes a training of any of our configs one without labels."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.config.load_config import load_config
from mmvitkd.models.students import ImageEncoder

import pytest
from mmpretrain.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'
WIDELAST = 'image_folder/deit_small_deit_tiny_widelast.py'


def load(name=WIDELAST, **options):
    return load_config(str(CONFIGS / name), dict(with_label=False) | options, measure=False)


def test_data_student_and_metrics():
    cfg = load()
    assert not cfg.train_dataloader.dataset.with_label
    assert not cfg.test_dataloader.dataset.with_label
    assert 'head' not in cfg.model.architecture
    assert cfg.model.architecture.backbone.base.out_type == 'raw'
    assert cfg.model.pairs == [(11, 11), ('embedding', 'embedding')]
    assert cfg.val_evaluator == cfg.test_evaluator == []
    assert cfg.val_dataloader is not None  # for FeatureErrorHook
    assert isinstance(MODELS.build(cfg.model.architecture), ImageEncoder)


def test_with_labels_only_the_data_sets_are_told():
    cfg, plain = load(with_label=True, num_classes=3), load_config(str(CONFIGS / WIDELAST))
    assert cfg.train_dataloader.dataset.with_label
    assert cfg.model.architecture.head.num_classes == 3
    assert cfg.val_evaluator == plain.val_evaluator


def test_a_metric_that_needs_no_labels_stays():
    kept = dict(type='DumpResults', out_file_path='x.pkl')
    cfg = load(val_evaluator=[dict(type='mmvitkd.Accuracy'), kept])
    assert cfg.val_evaluator == [kept]


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        (WIDELAST, dict(with_label=0), '0: wanted True or False'),
        (WIDELAST, dict(num_classes=3), 'no num_classes, found 3'),
        (
            WIDELAST,
            {'data_preprocessor.batch_augments': dict(augments=[dict(type='Mixup')])},
            'batch_augments mixes labels',
        ),
        (
            WIDELAST,
            {'default_hooks.checkpoint.save_best': 'accuracy/top1'},
            "save_best='accuracy/top1' needs labels",
        ),
        (
            WIDELAST,
            {'default_hooks.checkpoint.save_best': 'knn/top1'},
            "save_best='knn/top1' needs labels",
        ),
        (
            WIDELAST,
            dict(val_evaluator=[dict(type='mmvitkd.KNNAccuracy')]),
            'val_evaluator: KNNAccuracy needs labels',
        ),
        ('image_folder/deit_small.py', {}, 'no teacher'),
        (
            'image_folder/deit_small_deit_tiny_widelast_softkd.py',
            {},
            r"student_recorders\['\w+'\] records the head",
        ),
        ('deit/cait_s24_deit_tiny_mse_300e.py', {}, 'train_dataloader has a ImageNet'),
        (WIDELAST, {'model.architecture.type': 'TimmClassifier'}, 'student is a TimmCl'),
    ],
)
def test_what_needs_labels_is_named(name, options, message):
    with pytest.raises(ValueError, match=rf'^with_label=.*?{message}'):
        load(name, **options)
