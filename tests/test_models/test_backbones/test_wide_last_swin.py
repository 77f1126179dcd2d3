"""WideLast on Swin: counts, initialisation, arithmetic against timm's, what it refuses."""

import copy
import math
import pickle

import mmvitkd  # noqa: F401
from mmvitkd.models.backbones import WideLast, WideLastSwin

import pytest
import timm
import torch
import torch.nn.functional as F
from mmpretrain.models.backbones import SwinTransformer
from mmpretrain.registry import MODELS
from timm.models.swin_transformer import PatchMerging, SwinTransformerBlock
from torch import nn

# 32 x 32 pixels: stages of 8 x 8 and 4 x 4 tokens, in windows of 2 x 2, shifted in every
# second block.
ARCH = dict(embed_dims=16, depths=[2, 3], num_heads=[1, 2])
DEFAULTS = dict(type='SwinTransformer', arch=ARCH, img_size=32, window_size=2, out_indices=[1])
IMAGE = 32


def _base(**kwargs) -> dict:
    return {**DEFAULTS, **kwargs}


def _small(width=64, wide=None, **kwargs) -> WideLastSwin:
    return WideLast(_base(**kwargs), width, **wide or {})


def _shaken(model: nn.Module) -> nn.Module:
    """Every parameter away from its initial value, so that each one matters."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    model.eval()  # MMPretrain's returns None
    return model


def _images(size=IMAGE) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))


# Building -----------------------------------------------------------------------------


def _block_count(width: int, heads: int, window: int = 7) -> int:
    """Norms, qkv, projection, an MLP of four times the width, a table of biases."""
    return 12 * width**2 + 13 * width + (2 * window - 1) ** 2 * heads


def test_parameter_count_of_swin_tiny():
    model = MODELS.build(
        dict(type='mmvitkd.WideLast', base=dict(type='SwinTransformer'), width=1024)
    )
    base = timm.create_model('swin_tiny_patch4_window7_224', num_classes=0)
    count = sum(p.numel() for p in base.parameters())
    count += _block_count(1024, 32) - _block_count(768, 24)
    count += 768 * 1024 + 2 * 1024  # proj_in and proj_norm
    count += 2 * (1024 - 768)  # norm3
    assert sum(p.numel() for p in model.parameters()) == count
    assert model.block_dims == (96,) * 2 + (192,) * 2 + (384,) * 6 + (768, 1024)
    assert model.block_heads == (3,) * 2 + (6,) * 2 + (12,) * 6 + (24, 32)
    assert model.embed_dims == 96


@pytest.mark.parametrize('prefix', ['', 'mmpretrain.'])
def test_is_a_wide_last_and_a_swin(prefix):
    model = MODELS.build(
        dict(type='mmvitkd.WideLast', base=_base(type=f'{prefix}SwinTransformer'), width=64)
    )
    assert isinstance(model, WideLast)
    assert isinstance(model, SwinTransformer)
    assert model.widened == ('stages.1.blocks.2', 'norm1')
    assert model.num_extra_tokens == 0


def test_the_config_is_left_as_it_was():
    base = _base(stage_cfgs=[dict(), dict(block_cfgs=dict(ffn_ratio=2.0))])
    before = copy.deepcopy(base)
    model = WideLast(base, 64)
    assert base == before
    assert [b.ffn.layers[0][0].out_features for b in model.stages[1].blocks] == [64, 64, 128]


def test_parameter_names_are_the_bases():
    base, wide = (
        MODELS.build(_base()).state_dict(),
        _small(wide=dict(num_wide_blocks=2)).state_dict(),
    )
    assert set(wide) - set(base) == {
        'stages.1.blocks.1.proj_in.weight',
        'stages.1.blocks.1.proj_norm.weight',
        'stages.1.blocks.1.proj_norm.bias',
    }
    assert set(base) <= set(wide)


@pytest.mark.parametrize(
    ('width', 'wide', 'dims', 'heads'),
    [
        (64, dict(), (32, 32, 64), (2, 2, 4)),
        (64, dict(schedule='fixed_step'), (32, 32, 64), (2, 2, 2)),
        (64, dict(num_wide_blocks=3), (64, 64, 64), (4, 4, 4)),
        ([48, 64], dict(num_wide_blocks=2), (32, 48, 64), (2, 3, 4)),
        (64, dict(num_heads=8), (32, 32, 64), (2, 2, 8)),
    ],
)
def test_schedules_count_within_the_last_stage(width, wide, dims, heads):
    model = _small(width, wide)
    assert model.block_dims == (16, 16, *dims)
    assert model.block_heads == (1, 1, *heads)
    tables = [b.attn.w_msa.relative_position_bias_table for b in model.stages[1].blocks]
    assert [tuple(table.shape) for table in tables] == [(9, number) for number in heads]
    assert model(_images())[0].shape == (2, 64, 4, 4)
    assert model.stages[1].out_channels == 64


def test_a_stage_of_another_width_is_the_last_stages_base():
    arch = dict(ARCH, depths=[2, 2])
    model = _small(arch=arch, stage_cfgs=dict(downsample_cfg=dict(out_channels=48)), width=72)
    assert model.block_dims == (16, 16, 48, 72)
    assert model.stages[1].blocks[1].proj_in.weight.shape == (72, 48)


def test_norms_are_of_the_configured_kind():
    block_cfgs = [dict(), dict(), dict(norm_cfg=dict(type='LN', eps=1e-4))]
    model = _small(
        norm_cfg=dict(type='LN', eps=1e-3), stage_cfgs=[dict(), dict(block_cfgs=block_cfgs)]
    )
    block = model.stages[1].blocks[2]
    assert block.proj_norm.eps == block.norm1.eps == 1e-4
    assert model.norm1.eps == 1e-3
    assert _small().stages[1].blocks[2].proj_norm.eps == _small().norm1.eps == 1e-5


def test_without_a_norm_at_the_end():
    model = _small(norm_cfg=None).eval()
    assert model.widened == ('stages.1.blocks.2',)
    tokens = model(_images())[0].flatten(2).transpose(1, 2)
    outs = []
    model.stages[1].register_forward_hook(lambda *args: outs.append(args[-1][0]))
    model(_images())
    assert torch.equal(tokens, outs[0])


# Initialisation -----------------------------------------------------------------------


def test_initialisation_is_the_published_one():
    torch.manual_seed(0)
    model = _small(width=128, use_abs_pos_embed=True)
    convolution = model.patch_embed.projection.weight.clone()
    model.init_weights()
    for name, value in model.named_parameters():
        if 'patch_embed.projection' in name:
            continue
        if name.endswith('bias'):
            assert not value.any(), name
        elif 'norm' in name:
            assert (value == 1).all(), name
        else:
            assert abs(value.std() / 0.02 - 1) < 5 / math.sqrt(2 * value.numel()), name
    assert torch.equal(model.patch_embed.projection.weight, convolution)


@pytest.mark.parametrize('inside', [False, True])
def test_pretrained_weights_are_loaded_last(tmp_path, inside):
    trained = _shaken(_small(use_abs_pos_embed=True))
    torch.save(trained.state_dict(), tmp_path / 'trained.pth')
    init = dict(init_cfg=[dict(type='Pretrained', checkpoint=str(tmp_path / 'trained.pth'))])
    model = _small(
        use_abs_pos_embed=True, wide={} if inside else init, **init if inside else {}
    )
    model.init_weights()
    for name, value in model.state_dict().items():
        assert torch.equal(value, trained.state_dict()[name]), name


# Arithmetic ---------------------------------------------------------------------------


class TimmWideLastSwin(nn.Module):
    """The same network of timm's layers; the last stage's widths and heads are given."""

    def __init__(self, dims, heads):
        super().__init__()
        self.embed = nn.Conv2d(3, 16, 4, 4)
        self.embed_norm = nn.LayerNorm(16)
        self.early = nn.ModuleList(self._block(16, 1, i, 8) for i in range(2))
        self.merge = PatchMerging(16, 32)
        self.late, self.proj_in = nn.ModuleList(), nn.ModuleDict()
        for i, (before, dim, number) in enumerate(zip([32, *dims], dims, heads, strict=False)):
            self.late.append(self._block(dim, number, i, 4))
            if dim != before:
                self.proj_in[str(i)] = nn.Linear(before, dim, bias=False)
                self.proj_in[f'norm{i}'] = nn.LayerNorm(dim)
        self.norm = nn.LayerNorm(dims[-1])

    @staticmethod
    def _block(dim, heads, index, side):
        return SwinTransformerBlock(
            dim, (side, side), heads, window_size=2, shift_size=index % 2
        )

    def load_ours(self, model):
        def load(theirs, ours):
            names = {'w_msa.': '', 'ffn.layers.0.0': 'mlp.fc1', 'ffn.layers.1': 'mlp.fc2'}
            state = {}
            for key, value in ours.state_dict().items():
                for old, new in names.items():
                    key = key.replace(old, new)
                if 'proj_in' not in key and 'proj_norm' not in key and 'index' not in key:
                    state[key] = value
            theirs.load_state_dict(state)

        load(self.embed, model.patch_embed.projection)
        load(self.embed_norm, model.patch_embed.norm)
        for theirs, ours in zip(self.early, model.stages[0].blocks, strict=True):
            load(theirs, ours)
        for i, (theirs, ours) in enumerate(zip(self.late, model.stages[1].blocks, strict=True)):
            load(theirs, ours)
            if str(i) in self.proj_in:
                load(self.proj_in[str(i)], ours.proj_in)
                load(self.proj_in[f'norm{i}'], ours.proj_norm)
        # MMCV unfolds (channel, row, column), timm (column, row, channel).
        ours = copy.deepcopy(model.stages[0].downsample)
        for parameter in ours.parameters():
            parts = parameter.data.unflatten(-1, (16, 2, 2)).transpose(-1, -3)
            parameter.data = parts.flatten(-3)
        load(self.merge, ours)
        load(self.norm, model.norm1)

    def forward(self, x):
        x = self.embed_norm(self.embed(x).permute(0, 2, 3, 1))
        for block in self.early:
            x = block(x)
        early, x = x, self.merge(x)
        for i, block in enumerate(self.late):
            if str(i) in self.proj_in:
                x = self.proj_in[f'norm{i}'](self.proj_in[str(i)](x))
            x = block(x)
        return early.permute(0, 3, 1, 2), self.norm(x).permute(0, 3, 1, 2)


@pytest.mark.parametrize(
    ('width', 'wide'),
    [
        (64, dict()),
        (64, dict(num_wide_blocks=2, schedule='fixed_step')),
        ([48, 64], dict(num_wide_blocks=2)),
        (64, dict(num_wide_blocks=3)),
    ],
    ids=str,
)
def test_equals_timms_layers(width, wide):
    model = _shaken(_small(width, wide, out_indices=[0, 1]))
    model.norm0 = nn.Identity()
    twin = TimmWideLastSwin(list(model.block_dims[2:]), model.block_heads[2:]).eval()
    twin.load_ours(model)
    with torch.no_grad():
        for ours, theirs in zip(model(_images()), twin(_images()), strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_without_widening_it_is_the_base():
    base = _shaken(MODELS.build(_base(out_indices=[0, 1])))
    model = _small(width=32, out_indices=[0, 1])
    model.load_state_dict(base.state_dict())
    assert model.widened == ()
    for ours, theirs in zip(model.eval()(_images()), base(_images()), strict=True):
        assert torch.equal(ours, theirs)


def test_every_parameter_of_a_classifier_gets_a_gradient():
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(
                type='mmvitkd.WideLast', base=_base(), width=[48, 64], num_wide_blocks=2
            ),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=5, in_channels=64),
        )
    )
    model.init_weights()
    F.cross_entropy(model(_images()), torch.tensor([1, 2])).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


# What the base gives ------------------------------------------------------------------


def test_outputs_of_other_stages_are_the_bases():
    base = _shaken(MODELS.build(_base(out_indices=[0])))
    model = _small(out_indices=[0, -1])
    state = base.state_dict()
    kept = {k: v for k, v in state.items() if not k.startswith(model.widened)}
    model.load_state_dict(kept, strict=False)
    early, late = model.eval()(_images())
    assert torch.equal(early, base(_images())[0])
    assert late.shape == (2, 64, 4, 4)
    assert not hasattr(_small(out_indices=[0]), 'norm1')


def test_outputs_after_downsampling():
    early, late = _small(out_indices=[0, 1], out_after_downsample=True)(_images())
    assert early.shape == (2, 32, 4, 4)
    assert late.shape == (2, 64, 4, 4)


def test_frozen_stages_include_what_was_added():
    model = _small(frozen_stages=1)
    assert [n for n, p in model.named_parameters() if p.requires_grad] == []
    model = _small(frozen_stages=0).train()
    trainable = {n for n, p in model.named_parameters() if p.requires_grad}
    assert 'stages.1.blocks.2.proj_in.weight' in trainable
    assert all(n.startswith(('stages.1.', 'norm1.')) for n in trainable)
    assert not model.stages[0].training


def test_drop_path_rises_with_depth():
    model = _small(drop_path_rate=0.4, wide=dict(num_wide_blocks=2))
    rates = [b.attn.drop.drop_prob for stage in model.stages for b in stage.blocks]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_layer_depth():
    model = _small()
    names = {
        'patch_embed.projection.weight': 0,
        'stages.0.downsample.norm.weight': 2,
        'stages.1.blocks.1.norm1.weight': 4,
        'stages.1.blocks.2.proj_in.weight': 5,
        'norm1.weight': 6,
    }
    for name, depth in names.items():
        assert model.get_layer_depth(f'backbone.{name}', 'backbone.') == (depth, 7)


def test_a_map_smaller_than_the_window_is_padded():
    model = _small(window_size=3, pad_small_map=True, img_size=16)
    assert model(_images(16))[0].shape == (2, 64, 2, 2)


def test_copies_and_pickles():
    model = _shaken(_small())
    wanted = model(_images())[0]
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(twin) is WideLastSwin
        assert torch.equal(twin(_images())[0], wanted)
        with torch.no_grad():
            twin.stages[1].blocks[2].proj_in.weight.zero_()
            assert not torch.equal(twin(_images())[0], wanted)
    assert torch.equal(model(_images())[0], wanted)


def test_train_and_eval_return_the_model():
    model = _small()
    assert model.eval() is model
    assert model.train() is model


# Refusals -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('base', 'wide', 'message'),
    [
        (dict(arch='huge'), {}, r"base.arch='huge' is none of \['b', 'base'"),
        (dict(arch=dict(embed_dims=16)), {}, r"base.arch must be .*\['depths', 'embed_dims'"),
        (dict(out_indices=[2]), {}, r'base.out_indices=\[2\]: 2 is none of the 2 stages'),
        (
            dict(),
            dict(num_wide_blocks=4),
            r'num_wide_blocks=4 .* 3 \(in Swin .* 3 blocks of 32, 2 h',
        ),
        (dict(), dict(width=24), 'width=24 is not divisible .* 16.*last stage'),
        (dict(), dict(width=16), 'width=16 of block 2 is below .*=32 .*last stage'),
        (dict(), dict(schedule='wide'), "schedule='wide' is none of"),
        (dict(stage_cfgs=[{}]), {}, 'base.stage_cfgs has 1 entries for 2 stages'),
        (dict(stage_cfgs=dict(depth=3)), {}, r"base.stage_cfgs sets \['depth'\]; sizes come"),
        (
            dict(stage_cfgs=dict(block_cfgs=[{}])),
            {},
            "stage_cfgs' block_cfgs has 1 entries for 3 blocks of the last stage",
        ),
        (
            dict(stage_cfgs=dict(block_cfgs=dict(num_heads=4))),
            {},
            r"stage_cfgs' block_cfgs sets \['num_heads'\]",
        ),
        (
            dict(init_cfg=dict(type='Xavier')),
            dict(init_cfg=dict(type='Xavier')),
            'init_cfg is given twice',
        ),
    ],
)
def test_errors_name_the_key(base, wide, message):
    with pytest.raises(ValueError, match=message):
        WideLast(_base(**base), **dict(width=64) | wide)


def test_the_second_version_of_swin_is_refused():
    with pytest.raises(ValueError, match=r"base.type='SwinTransformerV2' cannot be widened"):
        WideLast(dict(type='SwinTransformerV2'), 1024)
