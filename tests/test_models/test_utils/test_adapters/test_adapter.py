"""Adapters describe models as their own outputs do."""

import mmvitkd  # noqa: F401
from mmvitkd.models.utils.adapters import Adapter, adapter_for
from mmvitkd.models.utils.features import to_embedding, to_features

import pytest
import torch
import toy_students
from mmengine.registry import MODELS
from mmpretrain.models import TimmClassifier
from torch import nn
from toy import timm_vit, vit

TINY = dict(img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=4, num_classes=5)
STAGES = dict(img_size=(64, 32), window_size=2, embed_dim=8, depths=(1, 2), num_heads=(1, 2))
PLAIN = {
    'ours': lambda: MODELS.build(vit()),
    'distilled': lambda: MODELS.build(toy_students.student('distilled')),
    'widelast': lambda: MODELS.build(toy_students.student('widelast')),
    'timm': lambda: MODELS.build(timm_vit()),
    **{
        name: lambda name=name: TimmClassifier(model_name=name, **TINY)
        for name in (
            'deit_tiny_distilled_patch16_224',
            'vit_small_patch14_reg4_dinov2',
            'beit_base_patch16_224',
            'cait_xxs24_224',
        )
    },
}


@torch.no_grad()
def outputs_of(model, names, size):
    """What modules return, by a hook of this test's own."""
    found, modules = {}, dict(model.named_modules())
    for name in names:
        modules[name].register_forward_hook(
            lambda _, x, out, name=name: found.update({name: out})
        )
    model.eval()(torch.randn(1, 3, *size))
    return [found[name] for name in names]


@pytest.mark.parametrize('kind', PLAIN)
def test_blocks_of_tokens(kind):
    model = PLAIN[kind]()
    adapter = adapter_for(model)
    assert adapter.input_size == (32, 32)
    outputs = outputs_of(model, adapter.blocks, (32, 32))
    assert [x.shape[2] for x in outputs] == adapter.widths
    for (height, width), x in zip(adapter.grids, outputs, strict=True):
        assert x.shape[1] == adapter.num_extra_tokens + height * width
    assert adapter.token_grid == adapter.grids[0] == adapter.grid_at((32, 32))
    assert adapter.num_classes == 5
    assert adapter.trunk in model.modules()


@pytest.mark.parametrize('size', [(16, 40), (24, 24), (70, 84)])
@pytest.mark.parametrize('kind', ['mmpretrain', 'timm'])
def test_the_grid_of_other_images(kind, size):
    if kind == 'mmpretrain':
        model = MODELS.build(vit())
    else:
        options = dict(dynamic_img_size=True, dynamic_img_pad=True)
        model = MODELS.build(timm_vit(**options))
    adapter = adapter_for(model)
    height, width = adapter.grid_at(size)
    [tokens] = outputs_of(model, adapter.blocks[:1], size)
    assert tokens.shape[1] == adapter.num_extra_tokens + height * width


def test_stages_of_maps():
    model = TimmClassifier(model_name='swin_tiny_patch4_window7_224', **STAGES)
    adapter = adapter_for(model)
    assert adapter.input_size == (64, 32) and adapter.token_grid is None
    outputs = outputs_of(model, adapter.blocks, (64, 32))
    assert [tuple(x.shape[1:3]) for x in outputs] == adapter.grids
    assert [x.shape[3] for x in outputs] == adapter.widths


@pytest.mark.parametrize('kind', ['swin', 'swin_widelast'])
def test_stages_that_return_their_grid(kind):
    model = MODELS.build(toy_students.student(kind))
    adapter = adapter_for(model)
    outputs = outputs_of(model, adapter.blocks, adapter.input_size)
    assert [x.shape[2] for x, _ in outputs] == adapter.widths
    assert adapter.grids == [None] * len(outputs)


@pytest.mark.parametrize('kind', ['ours', 'timm'])
def test_the_normalisation_of_a_preprocessor(kind):
    preprocessor = dict(vit()['data_preprocessor'], mean=[1, 2, 3], std=[4, 5, 6])
    config = vit() if kind == 'ours' else timm_vit()
    found = adapter_for(MODELS.build(dict(config, data_preprocessor=preprocessor)))
    assert found.normalization.mean.tolist() == [1, 2, 3]
    assert found.normalization.std.tolist() == [4, 5, 6]
    assert found.normalization.to_rgb


def test_a_model_of_no_known_family():
    adapter = adapter_for(nn.Linear(3, 4))
    assert type(adapter) is Adapter and adapter.name == 'Linear'
    assert adapter.blocks == adapter.widths == adapter.grids == adapter.final_norms == []
    for name in ('input_size', 'normalization', 'token_grid', 'num_classes', 'trunk'):
        assert getattr(adapter, name) is None
    adapter.load_weights(nn.Linear(3, 4).state_dict(), 'teacher_ckpt', 'file')
    with pytest.raises(ValueError, match='does not fit the model, a Linear'):
        adapter.load_weights(nn.Linear(3, 5).state_dict(), 'teacher_ckpt', 'file')


@pytest.mark.parametrize(
    ('name', 'arguments'),
    [
        ('vit_tiny_patch16_224', dict(img_size=32, patch_size=8, depth=2, global_pool='avg')),
        ('cait_xxs24_224', dict(img_size=32, patch_size=8, depth=2)),
        ('swin_tiny_patch4_window7_224', dict(img_size=64, window_size=2, depths=(1, 1, 1, 1))),
        ('convnext_atto', {}),
        ('resnet18', {}),
    ],
)
def test_the_embedding_is_what_timms_classifier_reads(name, arguments):
    model = MODELS.build(dict(type='mmpretrain.TimmClassifier', model_name=name, **arguments))
    features = adapter_for(model.eval()).features
    images, seen = torch.randn(2, 3, 64, 64), {}
    if size := adapter_for(model).input_size:
        images = torch.randn(2, 3, *size)
    for key, feature in features.items():
        model.get_submodule(feature.source).register_forward_hook(
            lambda _, inputs, output, key=key, is_input=feature.is_input: seen.update(
                {key: inputs if is_input else output}
            )
        )
    with torch.no_grad():
        model(images)
        last = model.model.forward_features(images)
        wanted = model.model.forward_head(last, pre_logits=True)
    torch.testing.assert_close(to_embedding(seen['embedding'], 'mean'), wanted)
    tokens = to_features(seen['tokens'], None, features['tokens'].num_extra_tokens)
    assert tokens.tokens.shape[1] == tokens.grid[0] * tokens.grid[1]


def test_two_classifiers_are_no_embedding():
    name = 'deit_tiny_distilled_patch16_224'
    model = MODELS.build(dict(type='mmpretrain.TimmClassifier', model_name=name, depth=1))
    assert list(adapter_for(model).features) == ['tokens']
