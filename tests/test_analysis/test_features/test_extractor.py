"""Features of every family, against MMPretrain's own outputs and timm's intermediates."""

import copy
import weakref

import mmvitkd  # noqa: F401
from mmvitkd.analysis.features.extractor import FeatureExtractor, find_blocks

import pytest
import torch
import toy_students
from mmengine.registry import MODELS
from mmpretrain.models import TimmClassifier
from older_versions import skip_before
from timm.layers import LayerNorm2d
from torch import nn
from toy import ARCH, timm_vit, vit

TINY = dict(img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=4, num_classes=5)
STAGES = dict(img_size=64, window_size=2, embed_dim=8, depths=(1, 2, 1), num_heads=(1, 2, 4))
ROPE = dict(img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2, num_classes=5)
# What each is, its arguments, extra tokens in its blocks, widths, the last one's N.
TIMM = {
    'vit_tiny_patch16_224': (TINY, 1, [32, 32], 16),
    'deit_tiny_distilled_patch16_224': (TINY, 2, [32, 32], 16),
    'deit3_small_patch16_224': (TINY, 1, [32, 32], 16),
    'vit_small_patch14_reg4_dinov2': (TINY, 5, [32, 32], 16),
    'vit_small_patch16_dinov3': (ROPE, 5, [32, 32], 16),
    'beit_base_patch16_224': (TINY, 1, [32, 32], 16),
    'cait_xxs24_224': (TINY, 0, [32, 32], 16),
    'xcit_nano_12_p16_224': (TINY | dict(patch_size=16, img_size=64), 0, [32, 32], 16),
    'swin_tiny_patch4_window7_224': (STAGES, 0, [8, 16, 32], 16),
    'swinv2_tiny_window8_256': (STAGES, 0, [8, 16, 32], 16),
    'test_convnext': ({}, 0, [24, 32, 48, 64], 4),
    'pit_ti_224': (dict(img_size=64), 0, [64, 128, 256], 4),
}  # fmt: skip


def timm_model(name, **kwargs):
    if 'dinov3' in name:
        skip_before('timm', '1.0.20', 'DINOv3')
    return TimmClassifier(model_name=name, **kwargs)


def randomise(model):
    """So that no token, norm or layer scale is 0, 1 or alike."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model.eval()


def mmpretrain_model(kind):
    if kind == 'deit3':
        config = vit()
        config['backbone']['type'] = 'DeiT3'
    elif kind == 'swin of 3':
        config = toy_students.student('swin')
        arch = dict(embed_dims=8, depths=[1, 2, 1], num_heads=[1, 2, 4])
        config['backbone'].update(arch=arch, img_size=64, window_size=2, out_indices=(2,))
        config['head']['in_channels'] = 32
    else:
        config = toy_students.student(kind)
    return randomise(MODELS.build(config))


def own_outputs(model, images):
    """The outputs of all blocks as MMPretrain's backbone hands them over, without a norm."""
    backbone = copy.deepcopy(model.backbone)
    if hasattr(backbone, 'stages'):
        for i in range(len(backbone.stages)):
            setattr(backbone, f'norm{i}', nn.Identity())
        backbone.out_indices = range(len(backbone.stages))
        with torch.no_grad():
            return [x.flatten(2).transpose(1, 2) for x in backbone(images)]
    backbone.out_type, backbone.final_norm = 'raw', False
    backbone.out_indices = range(len(backbone.layers))
    with torch.no_grad():
        return [x[:, backbone.num_extra_tokens :] for x in backbone(images)]


@torch.no_grad()
def intermediates(model, images, norm=False):
    """The outputs of all blocks as timm hands them over."""
    maps = model.model.forward_intermediates(images, norm=norm, intermediates_only=True)
    return [x.flatten(2).transpose(1, 2) for x in maps]


def check_equal(features, wanted):
    assert len(features) == len(wanted)
    for found, other in zip(features, wanted, strict=True):
        assert torch.equal(found, other)
        assert found.std() > 0


@pytest.mark.parametrize('name', TIMM)
def test_timm(name):
    kwargs, extra, widths, places = TIMM[name]
    model = randomise(timm_model(name, **kwargs))
    size = kwargs.get('img_size', 64)
    images = torch.randn(2, 3, size, size)
    source = FeatureExtractor(model, 'all')
    assert source.embed_dims == {}
    features = source(images)
    assert list(features) == list(range(len(widths)))
    assert source.embed_dims == dict(enumerate(widths))
    assert features[len(widths) - 1].shape == (2, places, widths[-1])
    check_equal(features.values(), intermediates(model, images))
    with source.recorded(images) as (_, outputs):
        last = outputs[source.names[len(widths) - 1]]
    if isinstance(last, torch.Tensor) and last.dim() == 3:
        assert last.shape[1] - places == extra


@pytest.mark.parametrize(
    ('kind', 'widths', 'places'),
    [
        ('ours', [16, 16, 16], 16),
        ('distilled', [16, 16, 16], 16),
        ('deit3', [16, 16, 16], 16),
        ('lift', [16, 16, 16, 32], 16),
        ('widelast', [16, 16, 32], 16),
        ('swin', [8, 16], 16),
        ('swin of 3', [8, 16, 32], 16),
        ('swin_widelast', [8, 32], 16),
    ],
)
def test_mmpretrain(kind, widths, places):
    model = mmpretrain_model(kind)
    images = torch.randn(2, 3, *model.backbone.patch_embed.init_input_size)
    source = FeatureExtractor(model, 'all')
    features = source(images)
    wanted = own_outputs(model, images)
    keys = list(range(len(wanted)))
    if kind == 'lift':
        keys.append('neck')
        with torch.no_grad():
            wanted.append(model.neck(model.backbone(images))[0])
    assert list(features) == list(source.names) == keys
    assert list(source.embed_dims.values()) == widths
    assert features[keys[-1]].shape == (2, places, widths[-1])
    check_equal(features.values(), wanted)


def test_mmpretrains_and_timms_stages_are_the_same():
    """Both return a stage before the downsampling: the grids of the papers."""
    ours = FeatureExtractor(mmpretrain_model('swin of 3'), 'all')
    timms = FeatureExtractor(timm_model('swin_tiny_patch4_window7_224', **STAGES).eval(), 'all')
    images = torch.randn(1, 3, 64, 64)
    shapes = [tuple(x.shape) for x in ours(images).values()]
    assert shapes == [tuple(x.shape) for x in timms(images).values()]
    assert shapes == [(1, 256, 8), (1, 64, 16), (1, 16, 32)]


def test_a_map_that_is_not_square():
    model = timm_model(
        'swin_tiny_patch4_window7_224', **STAGES | dict(img_size=(32, 64), embed_dim=12)
    )
    images = torch.randn(2, 3, 32, 64)
    features = FeatureExtractor(model.eval(), 'all')(images)
    check_equal(features.values(), intermediates(model, images))


@pytest.mark.parametrize('size', [(16, 40), (24, 24), (72, 80)])
@pytest.mark.parametrize('class_token', [True, False])
def test_other_images_than_the_model_was_made_for(size, class_token):
    """Of 9 tokens nobody could tell 3 x 3 from 2 x 2 after 5: the patch embedding says it."""
    arguments = TINY if class_token else TINY | dict(class_token=False, global_pool='avg')
    model = timm_model('vit_tiny_patch16_224', dynamic_img_size=True, **arguments)
    images = torch.randn(2, 3, *size)
    features = FeatureExtractor(model.eval(), 'all')(images)
    check_equal(features.values(), intermediates(model, images))
    model = mmpretrain_model('ours')
    check_equal(FeatureExtractor(model, 'all')(images).values(), own_outputs(model, images))


# Blocks -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('blocks', 'names'),
    [
        ('last', {2: 'backbone.layers.2'}),
        ('all', {i: f'backbone.layers.{i}' for i in range(3)}),
        ([2, 0], {2: 'backbone.layers.2', 0: 'backbone.layers.0'}),
        ([-1, -3, 2], {2: 'backbone.layers.2', 0: 'backbone.layers.0'}),
        (['backbone.layers.1'], {1: 'backbone.layers.1'}),
        ('backbone.layers.1', {1: 'backbone.layers.1'}),
        (['last', 0], {2: 'backbone.layers.2', 0: 'backbone.layers.0'}),
        ([1, 'backbone.layers.1.ffn'], {
            1: 'backbone.layers.1', 'backbone.layers.1.ffn': 'backbone.layers.1.ffn'
        }),
    ],
)  # fmt: skip
def test_which_blocks(blocks, names):
    model = MODELS.build(vit())
    source = FeatureExtractor(model, blocks)
    assert source.names == find_blocks(model, blocks) == names
    assert list(source.names) == list(names)
    assert source.image_size == (32, 32)
    features = source(torch.randn(1, 3, 32, 32))
    assert {key: x.shape for key, x in features.items()} == dict.fromkeys(names, (1, 16, 16))


def test_last_and_all_of_lift_have_the_projector_too():
    model = mmpretrain_model('lift')
    assert list(find_blocks(model, 'last')) == [2, 'neck']
    assert list(find_blocks(model, 'all')) == [0, 1, 2, 'neck']
    features = FeatureExtractor(model, ['neck', 'neck.norm', 'neck.proj'])(
        torch.randn(2, 3, 32, 32)
    )
    assert torch.equal(features['neck'], features['neck.norm'])  # as `pairs` records it
    assert not torch.equal(features['neck'], features['neck.proj'])


@pytest.mark.parametrize(
    ('blocks', 'message'),
    [
        ([3], r'blocks: there is no 3: this ImageClassifier has blocks or stages 0 to 2'),
        ([-4], r'there is no -4: .* 0 to 2'),
        ('lst', r"'lst' is not a module of this ImageClassifier.*Similar names: last"),
        (['backbone.layer.2'], r'Similar names: .*backbone\.layers\.2'),
        ([], r"found none; wanted 'last', 'all', or a list"),
    ],
)
def test_a_block_that_is_not_there(blocks, message):
    with pytest.raises(ValueError, match=message):
        FeatureExtractor(MODELS.build(vit()), blocks)


def test_a_model_that_does_not_list_its_blocks():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    with pytest.raises(ValueError, match="blocks='last': the blocks of Sequential are not"):
        FeatureExtractor(model, 'last')
    with pytest.raises(ValueError, match='this Sequential lists no blocks'):
        FeatureExtractor(model, [0])
    tokens = torch.randn(2, 9, 4)
    features = FeatureExtractor(nn.Sequential(nn.Linear(4, 3), nn.Flatten()), ['0'])
    with pytest.raises(ValueError, match=r"the output of '0': .*Cannot tell the token grid"):
        features(tokens)
    assert features(torch.randn(2, 16, 4))['0'].shape == (2, 16, 3)


def test_a_module_that_is_not_called_or_has_no_tokens():
    model = timm_model('vit_tiny_patch16_224', **TINY)
    images = torch.randn(2, 3, 32, 32)
    with pytest.raises(ValueError, match=r"'loss_module' is not called in the forward pass"):
        FeatureExtractor(model, ['loss_module'])(images)
    with pytest.raises(ValueError, match=r"no patch tokens in the output of 'model\.head'"):
        FeatureExtractor(model, ['model.head'])(images)


# The final norm -----------------------------------------------------------------------


@pytest.mark.parametrize('name', [n for n in TIMM if n[:4] in ('vit_', 'deit', 'cait')])
def test_the_final_norm_of_timm(name):
    model = randomise(timm_model(name, **TIMM[name][0]))
    images = torch.randn(2, 3, 32, 32)
    features = FeatureExtractor(model, 'all', final_norm=True)(images)
    raw, normed = (intermediates(model, images, norm) for norm in (False, True))
    check_equal(features.values(), [raw[0], normed[1]])
    assert not torch.equal(raw[1], normed[1])


@pytest.mark.parametrize('kind', ['ours', 'distilled', 'deit3', 'widelast', 'swin'])
def test_the_final_norm_of_mmpretrain(kind):
    model = mmpretrain_model(kind)
    images = torch.randn(2, 3, 32, 32)
    features = FeatureExtractor(model, 'all', final_norm=True)(images)
    wanted = own_outputs(model, images)
    model.backbone.out_type = 'featmap'
    with torch.no_grad():
        wanted[-1] = model.backbone(images)[-1].flatten(2).transpose(1, 2)
    for found, other in zip(features.values(), wanted, strict=True):
        torch.testing.assert_close(found, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ('model', 'blocks', 'message'),
    [
        (lambda: mmpretrain_model('lift'), 'last', 'ImageClassifier has no norm of tokens'),
        (
            lambda: timm_model('beit_base_patch16_224', **TINY),
            'last',
            'TimmClassifier has no norm of tokens',
        ),
        (lambda: mmpretrain_model('ours'), [0], 'wanted the last block among blocks'),
    ],
)
def test_a_final_norm_that_is_not_there(model, blocks, message):
    with pytest.raises(ValueError, match=f'final_norm=True: .*{message}'):
        FeatureExtractor(model(), blocks, final_norm=True)


def test_a_norm_of_maps_is_none_of_tokens():
    model = timm_model('vit_tiny_patch16_224', **TINY)
    model.model.norm = LayerNorm2d(32)
    with pytest.raises(ValueError, match='TimmClassifier has no norm of tokens'):
        FeatureExtractor(model, final_norm=True)


# What stays as it is ------------------------------------------------------------------


@pytest.mark.parametrize('name', ['test_resnet', 'vit_tiny_patch16_224'])
def test_a_model_in_training_is_measured_in_eval_mode_and_left_as_it_was(name):
    kwargs = TINY | dict(proj_drop_rate=0.5, drop_path_rate=0.5) if 'vit' in name else {}
    model = timm_model(name, **kwargs)
    images = torch.randn(4, 3, 32, 32)
    source = FeatureExtractor(model.eval(), 'all')
    wanted = source(images)
    model.train()
    next(model.model.children()).eval()  # as a frozen part is
    modes = [module.training for module in model.modules()]
    state = {k: v.clone() for k, v in model.state_dict().items()}
    random = torch.get_rng_state()
    check_equal(source(images).values(), list(wanted.values()))
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    assert not any(x.requires_grad for x in wanted.values())


def test_an_error_in_the_forward_pass_leaves_nothing_behind():
    model = timm_model('vit_tiny_patch16_224', **TINY).train()
    with pytest.raises(AssertionError, match=r'height'):
        FeatureExtractor(model)(torch.randn(1, 3, 40, 40))
    assert not any(module._forward_hooks for module in model.modules())
    assert all(module.training for module in model.modules())


def test_nothing_of_a_call_is_kept():
    source = FeatureExtractor(MODELS.build(timm_vit()), 'all')
    features = source(torch.randn(1, 3, 32, 32))
    references = [weakref.ref(x) for x in features.values()]
    references += [weakref.ref(x._base) for x in features.values()]
    assert all(reference() is not None for reference in references)
    del features
    assert all(reference() is None for reference in references)


def test_under_autocast():
    model = timm_model('vit_tiny_patch16_224', **TINY).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.autocast('cpu', torch.bfloat16):
        features = FeatureExtractor(model, 'all')(images)
        wanted = intermediates(model, images)
    check_equal(features.values(), wanted)
    assert {x.dtype for x in features.values()} == {x.dtype for x in wanted}
    exact = FeatureExtractor(model, 'all')(images)
    assert not any(torch.equal(features[i].float(), exact[i]) for i in features)


def test_other_hooks_stay():
    model, calls = MODELS.build(vit(ARCH)), []
    hook = model.backbone.layers[2].register_forward_hook(lambda *_: calls.append(1))
    FeatureExtractor(model)(torch.randn(1, 3, 32, 32))
    model(torch.randn(1, 3, 32, 32))
    assert calls == [1, 1]
    hook.remove()
