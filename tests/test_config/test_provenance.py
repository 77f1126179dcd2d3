"""Teacher and losses of a student, in words."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.config.provenance import provenance_of

import pytest
from mmengine.config import Config
from toy_students import label_free, training

CONFIGS = Path(__file__).parents[2] / 'configs'
LABELS = 'labels: LabelSmoothLoss (label_smooth_val 0.1, mode original, weight 0.1)'


def test_pairs_and_their_loss():
    pairs = [('neck.norm', 3), (0, 1)]
    found = provenance_of(training('lift', pairs=pairs).model)
    assert found.weights == 'teacher_of_old.pth' and found.start is None
    assert found.losses == [
        LABELS,
        'student neck.norm and teacher block 3: FeatureMSELoss (weight 0.1)',
        'student block 0 and teacher block 1: FeatureMSELoss (weight 0.1)',
    ]


@pytest.mark.parametrize(
    ('kind', 'weight'),
    [('mmvitkd.SEPLoss', 50.0), ('DistanceWiseRKD', 12.5), ('elsewhere.Loss', 0.5)],
)
def test_a_loss_without_a_weight_has_that_of_its_class(kind, weight):
    cfg = training('lift', pairs=[('neck.norm', 3), (0, 1)], pair_loss=dict(type=kind))
    name = kind.split('.')[-1]
    assert provenance_of(cfg.model).losses[1].endswith(f': {name} (weight {weight})')


def test_the_headline_config():
    model = Config.fromfile(CONFIGS / 'cait_s24_deit_tiny_widelast.py').model
    found = provenance_of(model)
    assert 'cait_s24_224' in found.teacher and found.weights is None
    assert found.losses == [
        LABELS,
        'student head and teacher output: KLDivergence (tau 1.0, weight 0.9)',
        'student block 11 and teacher block 23: FeatureMSELoss (weight 0.2)',
    ]


@pytest.mark.parametrize(
    ('teacher', 'name'),
    [
        ('timm:vit_tiny_patch16_224', 'timm:vit_tiny_patch16_224'),
        (dict(type='timm:vit_tiny.augreg', num_classes=5), 'timm:vit_tiny.augreg'),
        (dict(type='TimmClassifier', model_name='cait_s24_224'), 'cait_s24_224 (timm)'),
        ('/home/someone/configs/my_vit.py', 'my_vit.py'),
        (
            dict(type='ImageClassifier', backbone=dict(type='VisionTransformer', arch='b')),
            'ImageClassifier on VisionTransformer (b)',
        ),
    ],
)
def test_the_ways_to_name_a_teacher(teacher, name):
    assert provenance_of(training('lift', teacher=teacher).model).teacher == name


def test_a_student_without_a_teacher():
    assert provenance_of(training('plain').model) == (None, None, [LABELS], None, ())


def test_without_labels_there_is_no_loss_of_them():
    found = provenance_of(label_free('ours').model)
    assert found.pairs == (
        'student block 2 and teacher block 3',
        'student embedding and teacher embedding',
    )
    assert found.losses == [f'{pair}: FeatureMSELoss (weight 0.1)' for pair in found.pairs]


def test_a_model_that_is_no_classifier_has_no_loss_of_labels():
    assert provenance_of(dict(type='SuperResolver', network=dict(type='MDBN'))).losses == []


def test_what_the_student_started_from():
    model = training('lift', student_ckpt='/home/someone/deit_tiny.pth').model
    assert provenance_of(model).start == 'deit_tiny.pth'
