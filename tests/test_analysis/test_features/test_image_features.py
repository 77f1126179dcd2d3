"""Embedding and tokens of one forward pass: what the model itself pools, and its blocks."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.features.extractor import FeatureExtractor
from mmvitkd.analysis.features.image_features import ImageFeatureReader

import pytest
import torch
from mmpretrain.registry import MODELS
from test_models.test_students.test_image_encoder import encoder
from toy import timm_vit, vit
from toy_students import build, student

IMAGES = torch.randn(2, 3, 32, 32)


def read(model, **layers):
    return ImageFeatureReader(model.eval(), layers)(IMAGES)


@pytest.mark.parametrize('pooling', ['token', 'avg', 'map'])
@pytest.mark.parametrize('num_classes', [0, 5])
def test_timms_is_what_its_head_gets(pooling, num_classes):
    more = dict(class_token=pooling == 'token', global_pool=pooling)
    model = MODELS.build(timm_vit(num_classes, **more))
    with torch.no_grad():
        network = model.model.eval()
        wanted = network.forward_head(network.forward_features(IMAGES), pre_logits=True)
    assert torch.equal(read(model, last='last').embedding, wanted)


def test_a_classifiers_is_its_class_token():
    model = build(vit())
    with torch.no_grad():
        assert torch.equal(read(model).embedding, model.extract_feat(IMAGES)[-1])


def test_a_lifts_is_the_mean_of_its_widened_tokens():
    found = read(build(student('lift')), last='last')
    tokens = found.layers['last'].tokens
    assert tokens.shape == (2, 16, 32)
    assert torch.allclose(found.embedding, tokens.mean(1), atol=1e-6)


def test_a_swins_is_its_pooled_map():
    assert read(build(student('swin'))).embedding.shape == (2, 16)


@pytest.mark.parametrize('kind', ['vit', 'lift', 'widelast'])
def test_an_encoders_is_its_own(kind):
    model = build(encoder(kind))
    with torch.no_grad():
        assert torch.equal(read(model).embedding, model(IMAGES)[0])


def test_layers_are_those_of_the_extractor():
    model = build(vit())
    found = read(model, first=0, named='backbone.layers.1', last='last').layers
    wanted = FeatureExtractor(model, [0, 1, 2])(IMAGES)
    for name, key in (('first', 0), ('named', 1), ('last', 2)):
        assert torch.equal(found[name].tokens, wanted[key])
        assert found[name].grid == (4, 4)


def test_modules_and_mode_are_left_as_they_were():
    model = build(vit()).train()
    reader = ImageFeatureReader(model, {'a': 0, 'last': 'last'})
    assert reader.modules == {'a': 'backbone.layers.0', 'last': 'backbone.layers.2'}
    reader(IMAGES)
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_a_layer_without_a_token_map_is_named():
    with pytest.raises(ValueError, match="'head'"):
        read(build(vit()), odd='head')
