"""WideLast: counts, initialisation, arithmetic against timm's blocks, what it refuses."""

import copy
import math
import pickle
from functools import partial

import mmvitkd  # noqa: F401
from mmvitkd.models.backbones import WideLast
from mmvitkd.utils import deprecation

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.model import BaseModule
from mmpretrain.models import backbones as mmpretrain
from mmpretrain.registry import MODELS
from timm.layers import PatchEmbed
from timm.models.vision_transformer import Block
from torch import nn

ARCH = dict(embed_dims=32, num_layers=3, num_heads=2, feedforward_channels=96)
SIZE = dict(img_size=32, patch_size=8)
BASES = ['VisionTransformer', 'DistilledVisionTransformer', 'DeiT3', 'ViTEVA02']
EXTRA_TOKENS = dict(zip(BASES, [1, 2, 1, 1], strict=True))
SCHEDULES = [
    dict(schedule='heads_step'),
    dict(schedule='fixed_step', num_wide_blocks=2),
    dict(schedule='heads_linear', num_wide_blocks=2),
    dict(schedule='fixed_linear', num_wide_blocks=2),
    dict(width=[48, 80], num_heads=[3, 5], num_wide_blocks=2),
]


def _base(name='VisionTransformer', **kwargs) -> dict:
    return dict(type=name, arch=ARCH, **SIZE) | kwargs


def _small(name='VisionTransformer', width=64, wide=None, **kwargs) -> WideLast:
    return WideLast(_base(name, **kwargs), **dict(width=width) | (wide or {}))


def _shaken(model: nn.Module) -> nn.Module:
    """Every parameter away from its initial value, so that each one matters."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    model.eval()  # MMPretrain's returns None
    return model


def _images(size=32) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))


def _classifier(head_std=0.02, **wide) -> nn.Module:
    """The model of the paper: DeiT-Tiny, its head initialised as published."""
    backbone = dict(
        type='mmvitkd.WideLast',
        base=dict(type='VisionTransformer', arch='deit-tiny'),
        width=384,
    )
    head = dict(
        type='VisionTransformerClsHead',
        num_classes=1000,
        in_channels=384,
        init_cfg=dict(type='TruncNormal', layer='Linear', std=head_std),
    )
    return MODELS.build(dict(type='ImageClassifier', backbone=backbone | wide, head=head))


# Building -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('wide', 'count'),
    [
        (dict(), 7_313_896),
        (dict(schedule='heads_step'), 7_313_896),
        (dict(schedule='fixed_step'), 7_313_896),
        (dict(schedule='heads_linear', num_wide_blocks=3), 8_628_264),
        (dict(schedule='fixed_linear', num_wide_blocks=3), 8_458_816),
    ],
)
def test_parameter_count_of_deit_tiny(wide, count):
    assert sum(p.numel() for p in _classifier(**wide).parameters()) == count


@pytest.mark.parametrize('name', BASES)
@pytest.mark.parametrize('prefix', ['', 'mmpretrain.'])
def test_is_also_an_instance_of_its_base(name, prefix):
    model = MODELS.build(
        ConfigDict(type='mmvitkd.WideLast', base=_base(prefix + name), width=64)
    )
    assert isinstance(model, WideLast)
    assert isinstance(model, getattr(mmpretrain, name))
    assert model.block_dims == (32, 32, 64)
    assert model.block_heads == (2, 2, 4)


def test_a_class_is_a_type_too():
    assert isinstance(_small(mmpretrain.DeiT3), mmpretrain.DeiT3)


def test_a_base_inherited_from_another_package():
    assert isinstance(_small('DeiT3', _scope_='mmpretrain'), mmpretrain.DeiT3)


def test_the_config_is_left_as_it_was():
    base = _base(out_indices=[-1, 1], layer_cfgs=dict(qkv_bias=False))
    before = copy.deepcopy(base)
    model = WideLast(base, 64)
    assert base == before
    assert model.out_indices == [2, 1]
    assert model.layers[2].attn.qkv.bias is None


@pytest.mark.parametrize('name', BASES)
def test_parameter_names_are_the_bases(name):
    base = MODELS.build(_base(name)).state_dict()
    new = set(_small(name, wide=dict(num_wide_blocks=2)).state_dict()) - set(base)
    assert new == {
        'layers.1.proj_in.weight',
        'layers.1.proj_norm.weight',
        'layers.1.proj_norm.bias',
    }


@pytest.mark.parametrize('name', BASES)
def test_the_mlp_ratio_is_kept(name):
    block = _small(name, width=48, wide=dict(num_heads=3)).layers[2]
    if name == 'ViTEVA02':
        assert block.mlp.w3.weight.shape == (48, 144)
    else:
        assert block.ffn.layers[1].weight.shape == (48, 144)


def test_norms_are_of_the_configured_kind():
    model = _small(
        norm_cfg=dict(type='LN', eps=1e-3),
        layer_cfgs=[dict(), dict(), dict(norm_cfg=dict(type='LN', eps=1e-4))],
        out_type='avg_featmap',
    )
    assert model.layers[2].proj_norm.eps == model.layers[2].ln1.eps == 1e-4
    assert model.layers[1].ln1.eps == model.ln1.eps == model.ln2.eps == 1e-3
    assert _small().layers[2].proj_norm.eps == _small().ln1.eps == 1e-6
    assert _small('ViTEVA02').layers[2].proj_norm.eps == 1e-5


# Initialisation -----------------------------------------------------------------------


class _Outer(BaseModule):
    """What the Runner sees when the classifier is part of an algorithm."""

    def __init__(self, architecture):
        super().__init__()
        self.architecture = architecture


@pytest.mark.parametrize('outer', [False, True])
def test_initialisation_is_the_published_one(outer):
    torch.manual_seed(0)
    model = _classifier()
    convolution = model.backbone.patch_embed.projection.weight.clone()
    (_Outer(model) if outer else model).init_weights()
    linears = 0
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            linears += 1
            assert abs(module.weight.std() / 0.02 - 1) < 0.03, name
            assert module.weight.abs().max() < 0.02 * 6, name
            assert module.bias is None or not module.bias.any(), name
        if isinstance(module, nn.LayerNorm):
            assert (module.weight == 1).all(), name
            assert not module.bias.any(), name
    assert linears == 12 * 4 + 2
    assert abs(model.backbone.pos_embed.std() / 0.02 - 1) < 0.03
    assert abs(model.backbone.cls_token.std() / 0.02 - 1) < 0.15
    assert torch.equal(model.backbone.patch_embed.projection.weight, convolution)


@pytest.mark.parametrize('name', BASES)
def test_initialisation_of_every_base(name):
    torch.manual_seed(0)
    model = _small(name, width=128, **_layer_scale(name))
    model.init_weights()
    for key, value in model.named_parameters():
        if 'patch_embed' in key:
            continue
        if 'gamma' in key:
            assert (value == value[0]).all(), key
            assert value[0] < 0.01, key
        elif key.endswith('bias'):
            assert not value.any(), key
        elif 'ln' in key or 'norm' in key:
            assert (value == 1).all(), key
        else:
            tolerance = 5 / math.sqrt(2 * value.numel())
            assert abs(value.std() / 0.02 - 1) < tolerance, key


def _layer_scale(name) -> dict:
    has_it = name in ('VisionTransformer', 'DistilledVisionTransformer')
    return dict(layer_scale_init_value=1e-3) if has_it else {}


@pytest.mark.parametrize('inside', [False, True])
def test_pretrained_weights_are_loaded_last(tmp_path, inside):
    trained = _shaken(_small())
    torch.save(trained.state_dict(), tmp_path / 'trained.pth')
    init_cfg = [dict(type='Pretrained', checkpoint=str(tmp_path / 'trained.pth'))]
    model = _small(init_cfg=init_cfg) if inside else _small(wide=dict(init_cfg=init_cfg))
    model.init_weights()
    for name, value in model.state_dict().items():
        assert torch.equal(value, trained.state_dict()[name]), name


# Arithmetic ---------------------------------------------------------------------------


class TimmWideLast(nn.Module):
    """The same network of timm's blocks, written from the paper's text."""

    def __init__(self, dims, heads):
        super().__init__()
        norm = partial(nn.LayerNorm, eps=1e-6)
        self.patch_embed = PatchEmbed(32, 8, 3, dims[0])
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dims[0]))
        self.pos_embed = nn.Parameter(torch.zeros(1, 17, dims[0]))
        self.blocks = nn.ModuleList()
        for before, dim, number in zip(dims[:1] + dims, dims, heads, strict=False):
            block = Block(dim, number, 3.0, qkv_bias=True, norm_layer=norm)
            if dim != before:
                block.proj_in = nn.Linear(before, dim, bias=False)
                block.proj_norm = norm(dim)
            self.blocks.append(block)
        self.norm = norm(dims[-1])

    def load_ours(self, state):
        names = {
            'layers.': 'blocks.',
            'patch_embed.projection': 'patch_embed.proj',
            'ffn.blocks.0.0': 'mlp.fc1',
            'ffn.blocks.1': 'mlp.fc2',
            '.ln1': '.norm1',
            '.ln2': '.norm2',
            'ln1.': 'norm.',
        }
        renamed = {}
        for key, value in state.items():
            for ours, theirs in names.items():
                key = key.replace(ours, theirs)
            renamed[key] = value
        self.load_state_dict(renamed)

    def forward(self, x):
        x = self.patch_embed(x)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        outs = []
        for block in self.blocks:
            if hasattr(block, 'proj_in'):
                x = block.proj_norm(F.linear(x, block.proj_in.weight))
            x = block(x)
            outs.append(x)
        outs[-1] = self.norm(x)
        return outs


FORMATS = {
    'raw': lambda x: x,
    'cls_token': lambda x: x[:, 0],
    'featmap': lambda x: x[:, 1:].transpose(1, 2).reshape(len(x), -1, 4, 4),
    'avg_featmap': lambda x: x[:, 1:].mean(1),
}


@pytest.mark.parametrize('out_type', FORMATS)
@pytest.mark.parametrize('wide', SCHEDULES, ids=str)
def test_equals_timms_blocks(wide, out_type):
    indices = [2] if out_type == 'avg_featmap' else [0, 1, 2]
    model = _small(width=96, wide=wide, out_type=out_type, out_indices=indices)
    _shaken(model)
    twin = TimmWideLast(list(model.block_dims), model.block_heads).eval()
    state = model.state_dict()
    ln2 = {k: state.pop(k) for k in ('ln2.weight', 'ln2.bias') if k in state}
    twin.load_ours(state)
    x = _images()
    with torch.no_grad():
        found = model(x)
        wanted = [FORMATS[out_type](y) for i, y in enumerate(twin(x)) if i in indices]
        if ln2:
            width = [model.block_dims[-1]]
            wanted = [F.layer_norm(y, width, *ln2.values(), 1e-6) for y in wanted]
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('name', BASES)
def test_without_widening_it_is_the_base(name):
    base = MODELS.build(_base(name, out_type='raw', out_indices=[0, 2]))
    _shaken(base)
    model = _small(name, width=32, out_type='raw', out_indices=[0, 2])
    model.load_state_dict(base.state_dict())
    for ours, theirs in zip(model.eval()(_images()), base(_images()), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize('name', BASES)
def test_a_wide_block_is_projection_norm_and_the_bases_block(name):
    model = _shaken(_small(name, final_norm=False, out_type='raw', out_indices=[1, 2]))
    narrow, wide = model(_images())
    block = model.layers[2]
    extra = ((4, 4),) if name == 'ViTEVA02' else ()
    projected = narrow @ block.proj_in.weight.T
    centred = projected - projected.mean(-1, keepdim=True)
    variance = centred.square().mean(-1, keepdim=True)
    normed = centred / (variance + block.proj_norm.eps).sqrt()
    normed = normed * block.proj_norm.weight + block.proj_norm.bias
    torch.testing.assert_close(block.forward(normed, *extra), wide)


@pytest.mark.parametrize(('name', 'extra'), EXTRA_TOKENS.items())
def test_output_shapes_of_every_base(name, extra):
    def shape(out_type):
        out = _small(name, out_type=out_type)(_images())[-1]
        return out.shape if isinstance(out, torch.Tensor) else [o.shape for o in out]

    token = (2, 64)
    assert shape('raw') == (2, 16 + extra, 64)
    assert shape('featmap') == (2, 64, 4, 4)
    assert shape('avg_featmap') == token
    assert shape('cls_token') == (token if extra == 1 else [token, token])


@pytest.mark.parametrize('name', ['VisionTransformer', 'DeiT3', 'ViTEVA02'])
def test_without_a_class_token(name):
    model = _small(name, with_cls_token=False, out_type='raw')
    model.init_weights()
    assert model(_images())[0].shape == (2, 16, 64)


@pytest.mark.parametrize('name', BASES)
def test_every_trainable_parameter_gets_a_gradient(name):
    torch.manual_seed(0)
    model = _small(name, out_type='raw', wide=dict(schedule='heads_linear', num_wide_blocks=2))
    model.init_weights()
    out = model(_images())[0]
    (out * torch.randn_like(out)).sum().backward()
    without = [
        key
        for key, p in model.named_parameters()
        if p.requires_grad and (p.grad is None or not p.grad.any())
    ]
    assert without == []
    frozen = [key for key, p in model.named_parameters() if not p.requires_grad]
    assert all('.ln2.' in key for key in frozen)
    assert len(frozen) == (6 if name == 'DeiT3' else 0)


def test_the_published_student_learns_everywhere_in_the_first_step():
    torch.manual_seed(0)
    model = _classifier()
    model.init_weights()
    logits = model(torch.randn(1, 3, 224, 224))
    F.cross_entropy(logits, torch.tensor([3])).backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


# What the base gives ------------------------------------------------------------------


@pytest.mark.parametrize('name', ['VisionTransformer', 'ViTEVA02'])
def test_frozen_stages_include_what_was_added(name):
    model = _small(name, frozen_stages=3, out_type='avg_featmap')
    assert [n for n, p in model.named_parameters() if p.requires_grad] == []
    model = _small(name, frozen_stages=2)
    trainable = {n for n, p in model.named_parameters() if p.requires_grad}
    assert 'layers.2.proj_in.weight' in trainable
    assert all(n.startswith(('layers.2.', 'ln1.')) for n in trainable)


def test_layer_depth():
    model = _small()
    names = dict(
        pos_embed=0,
        **{
            'layers.0.ln1.weight': 1,
            'layers.2.proj_in.weight': 3,
            'layers.2.proj_norm.bias': 3,
            'ln1.weight': 4,
        },
    )
    for name, depth in names.items():
        assert model.get_layer_depth(name) == (depth, 5)
        assert model.get_layer_depth(f'backbone.{name}', 'backbone.') == (depth, 5)
    assert model.get_layer_depth('head.fc.weight', 'backbone.') == (4, 5)


def test_drop_path_rises_with_depth():
    model = _small(drop_path_rate=0.2, wide=dict(num_wide_blocks=2))
    rates = [layer.attn.out_drop.drop_prob for layer in model.layers]
    assert rates == [0.0, 0.1, 0.2]
    assert {type(rate) for rate in rates} == {float}
    layer_cfgs = [dict(drop_path_rate=rate) for rate in (0.3, 0.2, 0.1)]
    model = _small(drop_path_rate=0.2, layer_cfgs=layer_cfgs)
    rates = [layer.ffn.dropout_layer.drop_prob for layer in model.layers]
    assert rates == [0.3, 0.2, 0.1]


@pytest.mark.parametrize('name', BASES)
def test_position_embeddings_are_resized_on_load(name):
    large = _shaken(MODELS.build(_base(name, img_size=64))).pos_embed
    base, model = MODELS.build(_base(name)), _small(name)
    for target in (base, model, copy.deepcopy(model)):
        target.load_state_dict({'pos_embed': large}, strict=False)
        assert target.pos_embed.any()
        assert torch.equal(target.pos_embed, base.pos_embed)


@pytest.mark.parametrize('name', BASES)
def test_copies_and_pickles(name):
    model = _shaken(_small(name))
    wanted = model(_images())
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(twin) is type(model)
        found = twin(_images())
        torch.testing.assert_close(found, wanted, rtol=0, atol=0)
        with torch.no_grad():
            twin.layers[2].proj_in.weight.zero_()
            assert not torch.equal(_flat(twin(_images())), _flat(wanted))
    torch.testing.assert_close(model(_images()), wanted, rtol=0, atol=0)


def _flat(outs) -> torch.Tensor:
    first = outs[0]
    return first if isinstance(first, torch.Tensor) else torch.cat(first)


def test_train_and_eval_return_the_model():
    model = _small()
    assert model.eval() is model
    assert model.train() is model


def test_compiles_into_one_graph():
    model = _shaken(_small('ViTEVA02', drop_path_rate=0.1))
    compiled = torch.compile(model, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(_images()), model(_images()))


# Refusals -----------------------------------------------------------------------------


def _is_refused(name: str) -> bool:
    with pytest.raises(ValueError, match='Supported: DeiT3, Distilled') as info:
        WideLast(dict(type=name), 64)
    return f'base.type={name!r} cannot be widened' in str(info.value)


def test_every_other_backbone_is_refused_by_name():
    others = [
        name
        for name, kind in MODELS.module_dict.items()
        if isinstance(kind, type)
        and issubclass(kind, mmpretrain.base_backbone.BaseBackbone)
        and name not in [*BASES, 'SwinTransformer']
    ]
    assert {'ResNet', 'SwinTransformerV2', 'MAEViT', 'MFFViT', 'BEiTViT'} <= set(others)
    assert all(_is_refused(name) for name in others)


@pytest.mark.parametrize(
    'name', ['MAEViT', 'MoCoV3ViT', 'MaskFeatViT', 'MILANViT', 'BEiTPretrainViT']
)
def test_self_supervised_backbones_are_refused_as_such(name):
    with pytest.raises(ValueError, match=f"base.type='{name}'.*self-supervised"):
        WideLast(dict(type=name), 64)


@pytest.mark.parametrize('name', ['NoSuchViT', 'mmvitkd.VisionTransformer', 'x.DeiT3'])
def test_classes_outside_mmpretrain_are_refused(name):
    assert _is_refused(name)


@pytest.mark.parametrize('base', ['deit-tiny', dict(arch='deit-tiny'), ['DeiT3']])
def test_a_base_is_a_config(base):
    with pytest.raises(TypeError, match='base must be a config dict with a type'):
        WideLast(base, 64)


def test_a_subclass_widens_its_own_base_only():
    deit3 = type(_small('DeiT3'))
    with pytest.raises(ValueError, match=r"WideLastDeiT3 widens a DeiT3, found .*'ViTE"):
        deit3(_base('ViTEVA02'), 64)


@pytest.mark.parametrize(
    ('base', 'wide', 'message'),
    [
        (dict(arch='deit-huge'), {}, r"base.arch='deit-huge' is none of \['b', 'base'"),
        (dict(arch=dict(embed_dims=32)), {}, 'base.arch must be .*num_layers'),
        (dict(out_indices=[3]), {}, r'base.out_indices=\[3\]: 3 is none of the 3 blo'),
        (dict(out_indices=-4), {}, r'base.out_indices=\[-4\]: -4 is none of the 3 bl'),
        (
            dict(out_type='avg_featmap', out_indices=[1, 2]),
            {},
            "out_type='avg_featmap' .* 64, and block 1 in .* is 32 wide",
        ),
        (
            dict(out_type='avg_featmap', out_indices=[-2, -1]),
            dict(width=[48, 64], num_wide_blocks=2),
            'block -2 in .* is 48 wide',
        ),
        (dict(layer_cfgs=[dict()]), {}, 'base.layer_cfgs has 1 entries for 3 blocks'),
        (
            dict(layer_cfgs=dict(num_heads=4)),
            {},
            r"base.layer_cfgs sets \['num_heads'\]; sizes come from base.arch, width",
        ),
        (
            dict(init_cfg=dict(type='Xavier')),
            dict(init_cfg=dict(type='Xavier')),
            'init_cfg is given twice',
        ),
        (dict(), dict(num_wide_blocks=4), 'num_wide_blocks=4 must lie between 1 and .* 3'),
        (dict(), dict(schedule='wide'), "schedule='wide' is none of"),
        (dict(type='ViTEVA02'), dict(schedule='fixed_step'), "ViTEVA02's rotary .* 32"),
        (dict(type='ViTEVA02'), dict(num_heads=8), 'rotary .*size, 16.*so 8'),
    ],
)
def test_errors_name_the_key(base, wide, message):
    with pytest.raises(ValueError, match=message):
        WideLast(_base() | base, **dict(width=64) | wide)


def test_num_wide_is_the_old_name_of_num_wide_blocks(monkeypatch):
    logged = []
    monkeypatch.setattr(deprecation, 'print_log', lambda text, *_: logged.append(text))
    cfg = dict(type='mmvitkd.WideLast', base=_base(), width=32)
    old = MODELS.build(dict(cfg, num_wide=2))
    assert old.block_dims == MODELS.build(dict(cfg, num_wide_blocks=2)).block_dims
    assert logged == ['WideLastViT: num_wide is now called num_wide_blocks.']


@pytest.mark.parametrize('name', ['VisionTransformer', 'DistilledVisionTransformer'])
def test_a_class_activation_map_is_not_blank(name):
    # MMPretrain's vis_cam.py --vit-like draws the third norm from the last.
    model = _small(name)
    layer = [module for module in model.modules() if isinstance(module, nn.LayerNorm)][-3]
    kept = []
    layer.register_forward_hook(lambda _, inputs, output: kept.append(output))
    found = model(torch.randn(1, 3, 32, 32))[-1]
    token = found[0] if isinstance(found, (tuple, list)) else found
    [gradient] = torch.autograd.grad(token[0, :5].sum(), kept[0])
    assert layer is model.layers[-1].ln1
    extra = EXTRA_TOKENS[name]
    picture = (gradient * kept[0])[0, extra:].sum(1)
    assert picture.std() > 1e-3 * kept[0].std()
