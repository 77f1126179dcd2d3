"""Every missing key of a whole model is found."""

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.converters.key_rules import rules_of
from mmvitkd.checkpoint.converters.missing_keys import missing_keys

import pytest
from mmpretrain.registry import MODELS
from released_models import ARCH, CLASSES, DIM, SIZE, STUDENTS


def _vit(head='VisionTransformerClsHead', **backbone):
    return dict(
        type='ImageClassifier',
        backbone=dict(type='VisionTransformer', arch=ARCH, **SIZE) | backbone,
        head=dict(type=head, num_classes=CLASSES, in_channels=DIM),
    )


MODELS_OF_ALL_KINDS = STUDENTS | dict(
    vit=_vit(),
    linear=_vit('LinearClsHead'),
    scaled=_vit(layer_scale_init_value=0.1, pre_norm=True),
    distilled=_vit('DeiTClsHead', type='DistilledVisionTransformer'),
    mean=_vit(out_type='avg_featmap', final_norm=False),
    tokenless=_vit(out_type='avg_featmap', final_norm=False, with_cls_token=False),
)
# Without these the rest is another whole model.
CHOICES = dict(mean={'backbone.cls_token'})


def _model(name):
    """The keys of a whole model, and their rules."""
    weights = MODELS.build(MODELS_OF_ALL_KINDS[name]).state_dict()
    return list(weights), rules_of(weights)


@pytest.mark.parametrize('name', MODELS_OF_ALL_KINDS)
def test_a_whole_model_lacks_nothing(name):
    keys, rules = _model(name)
    assert missing_keys(keys, rules) == []


@pytest.mark.parametrize('name', MODELS_OF_ALL_KINDS)
def test_each_missing_key_is_found(name):
    keys, rules = _model(name)
    for lost in set(keys) - CHOICES.get(name, set()):
        assert missing_keys([key for key in keys if key != lost], rules) == [lost]


@pytest.mark.parametrize('name', MODELS_OF_ALL_KINDS)
def test_a_missing_block_is_found(name):
    keys, rules = _model(name)
    lost = {key for key in keys if key.startswith('backbone.layers.1.')}
    assert set(missing_keys(set(keys) - lost, rules)) == lost


@pytest.mark.parametrize(
    ('name', 'prefix', 'missed'),
    [
        ('vit', 'backbone.ln1.', 2),
        ('vit', 'backbone.layers.0.ln2.', 2),
        ('lift', 'neck.norm.', 2),
        ('lift', 'head.', 2),
        ('distilled', 'head.layers.head_dist.', 2),
        ('distilled', 'head.layers.head.', 2),
        ('vit', 'head.', 0),  # a backbone alone
        ('lift', 'backbone.layers.2.', 0),  # a shorter model
    ],
)
def test_a_missing_weight_and_its_bias_are_found(name, prefix, missed):
    keys, rules = _model(name)
    lost = {key for key in keys if key.startswith(prefix)}
    assert set(missing_keys(set(keys) - lost, rules)) == (lost if missed else set())
    assert not missed or len(lost) == missed


def test_a_missing_last_block_is_found_by_the_depth():
    keys, rules = _model('lift')
    lost = {key for key in keys if key.startswith('backbone.layers.2.')}
    assert set(missing_keys(set(keys) - lost, rules, depth=3)) == lost
    assert missing_keys(keys, rules, depth=3) == []


def test_a_backbone_alone_may_lack_its_norm():
    keys = [key for key in _model('vit')[0] if 'head' not in key and '.ln1' not in key[:13]]
    assert 'backbone.ln1.weight' not in keys
    assert missing_keys(keys) == []


def test_blocks_are_listed_by_number():
    keys = ['backbone.layers.11.ln1.weight']
    blocks = [key.split('.')[2] for key in missing_keys(keys) if '.layers.' in key]
    assert list(dict.fromkeys(blocks)) == [str(i) for i in range(12)]
