"""LiftProjector: the Lift student's count, initialisation, arithmetic and errors."""

import math
from functools import partial

import mmvitkd  # noqa: F401
from mmvitkd.models.connectors import TokensToMap
from mmvitkd.models.necks import LiftProjector

import pytest
import torch
import torch.nn.functional as F
from mmpretrain.registry import MODELS
from timm.layers import PatchEmbed
from timm.models.vision_transformer import Block
from torch import nn

ARCH = dict(embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=128)


def _student(width=192, out_channels=384, num_classes=1000, **backbone) -> nn.Module:
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(
                type='mmvitkd.VisionTransformer',
                arch='deit-tiny',
                out_type='raw',
                final_norm=False,
            )
            | backbone,
            neck=dict(
                type='mmvitkd.LiftProjector',
                in_channels=width,
                out_channels=out_channels,
            ),
            head=dict(
                type='LinearClsHead',
                num_classes=num_classes,
                in_channels=out_channels,
                init_cfg=None,
            ),
        )
    )
    torch.manual_seed(0)
    model.init_weights()
    return model


def _small_student() -> nn.Module:
    return _student(32, 64, 10, arch=ARCH, img_size=32, patch_size=8)


# The published student ----------------------------------------------------------------


def test_trainable_parameters_of_the_published_student():
    parameters = _student().parameters()
    assert sum(p.numel() for p in parameters if p.requires_grad) == 5_983_528


def test_projection_and_head_keep_pytorchs_initialisation():
    model = _student()
    assert abs(model.neck.proj.weight.std() / 0.0417 - 1) < 0.01
    assert model.neck.proj.weight.abs().max() <= 1 / math.sqrt(192)
    assert model.neck.proj.bias is None
    assert abs(model.head.fc.weight.std() / (1 / math.sqrt(3 * 384)) - 1) < 0.01
    assert model.head.fc.bias.any()
    assert (model.neck.norm.weight == 1).all()
    assert model.neck.norm.eps == 1e-5


def test_every_parameter_learns_in_the_first_step():
    model = _small_student()
    images = torch.randn(4, 3, 32, 32)
    F.cross_entropy(model(images), torch.tensor([1, 2, 3, 4])).backward()
    without = [n for n, p in model.named_parameters() if not p.requires_grad]
    without += [n for n, p in model.named_parameters() if not p.grad.any()]
    assert without == []


class TimmLift(nn.Module):
    """The same network of timm's blocks, written from the paper's text."""

    def __init__(self, dim, lifted, num_classes):
        super().__init__()
        norm = partial(nn.LayerNorm, eps=1e-6)
        self.patch_embed = PatchEmbed(32, 8, 3, dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 17, dim))
        self.blocks = nn.Sequential(
            *[Block(dim, 2, 4.0, qkv_bias=True, norm_layer=norm) for _ in range(2)]
        )
        self.projection = nn.Linear(dim, lifted, bias=False)
        self.layer_norm = nn.LayerNorm(lifted, eps=1e-5)
        self.head = nn.Linear(lifted, num_classes)

    def load_ours(self, state):
        names = {
            'backbone.': '',
            'layers.': 'blocks.',
            'patch_embed.projection': 'patch_embed.proj',
            'ffn.blocks.0.0': 'mlp.fc1',
            'ffn.blocks.1': 'mlp.fc2',
            '.ln1': '.norm1',
            '.ln2': '.norm2',
            'neck.proj.': 'projection.',
            'neck.norm.': 'layer_norm.',
            'head.fc.': 'head.',
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
        feature = self.layer_norm(self.projection(self.blocks(x)[:, 1:]))
        return feature, self.head(feature.mean(1))


def test_equals_timms_blocks():
    model = _small_student()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    twin = TimmLift(32, 64, 10).eval()
    twin.load_ours(model.state_dict())
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        feature, logits = twin(x)
        torch.testing.assert_close(model.extract_feat(x)[0], feature, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(model(x), logits, atol=1e-5, rtol=1e-5)


# The neck alone -----------------------------------------------------------------------


def test_only_the_last_of_several_outputs_is_taken():
    neck = LiftProjector(8, 16)
    early, last = torch.randn(2, 5, 8), torch.randn(2, 5, 8)
    tokens, pooled = neck((early, last))
    assert tokens.shape == (2, 4, 16)
    torch.testing.assert_close(pooled, tokens.mean(1))
    torch.testing.assert_close(tokens, neck((last,))[0])
    assert abs(tokens.mean(-1)).max() < 1e-6


@pytest.mark.parametrize('extra', [0, 1, 2, 5])
def test_extra_tokens_are_dropped(extra):
    neck = LiftProjector(8, 16, num_extra_tokens=extra)
    patches = torch.randn(2, 4, 8)
    wanted = F.layer_norm(patches @ neck.proj.weight.T, (16,))
    tokens, _ = neck((torch.cat([torch.full((2, extra, 8), 9.0), patches], 1),))
    torch.testing.assert_close(tokens, wanted)


def test_pooling_without_widening():
    neck = LiftProjector(8)
    x = torch.randn(2, 5, 8)
    tokens, pooled = neck((x,))
    torch.testing.assert_close(tokens, F.layer_norm(x[:, 1:], (8,)))
    assert pooled.shape == (2, neck.out_channels)
    assert sum(p.numel() for p in neck.parameters()) == 16


def test_without_a_norm():
    neck = LiftProjector(8, norm=False)
    x = torch.randn(2, 5, 8)
    assert list(neck.parameters()) == []
    assert torch.equal(neck((x,))[1], x[:, 1:].mean(1))
    neck = LiftProjector(8, 16, norm=False)
    torch.testing.assert_close(neck((x,))[0], x[:, 1:] @ neck.proj.weight.T)


def test_pooling_by_the_class_token():
    neck = LiftProjector(8, 16, pooling='cls', num_extra_tokens=2)
    x = torch.randn(2, 6, 8)
    tokens, pooled = neck((x,))
    wanted = F.layer_norm(x @ neck.proj.weight.T, (16,))
    torch.testing.assert_close(tokens, wanted[:, 2:])
    torch.testing.assert_close(pooled, wanted[:, 0])


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(pooling='max'), r"pooling='max' is none of \['mean', 'cls'\]"),
        (dict(num_extra_tokens=-1), 'num_extra_tokens=-1 must be at least 0'),
        (
            dict(pooling='cls', num_extra_tokens=0),
            "num_extra_tokens=0 must be at least 1 with pooling='cls'",
        ),
    ],
)
def test_arguments_are_checked(kwargs, message):
    with pytest.raises(ValueError, match=message):
        LiftProjector(8, 16, **kwargs)


@pytest.mark.parametrize('inputs', [torch.randn(2, 5, 8), [torch.randn(2, 5, 8)]])
def test_inputs_are_a_tuple(inputs):
    with pytest.raises(TypeError, match=r'neck inputs must be a tuple, found (Te|list)'):
        LiftProjector(8, 16)(inputs)


@pytest.mark.parametrize(
    ('shape', 'message'),
    [
        ((2, 8), r"needs tokens .* or a map .*, found \(2, 8\); set out_type='raw'"),
        ((2, 8, 4, 4, 1), r"found \(2, 8, 4, 4, 1\); set out_type='raw'"),
        ((2, 5, 16), r'in_channels=8, but the feature \(2, 5, 16\) is 16 wide'),
        ((2, 16, 8, 8), r'in_channels=8, but the feature \(2, 16, 8, 8\) is 16 wide'),
        ((2, 1, 8), r'num_extra_tokens=1 leaves no patch token of \(2, 1, 8\)'),
    ],
)
def test_shapes_are_checked(shape, message):
    with pytest.raises(ValueError, match=message):
        LiftProjector(8, 16)((torch.randn(shape),))


# Maps ---------------------------------------------------------------------------------


@pytest.mark.parametrize('extra', [0, 1, 2])
def test_a_map_is_lifted_row_by_row(extra):
    neck = LiftProjector(8, 16, num_extra_tokens=extra)
    feature = torch.randn(2, 8, 3, 4)
    tokens, pooled = neck((feature,))
    wanted = torch.stack(
        [
            F.layer_norm(neck.proj(feature[:, :, row, column]), (16,))
            for row in range(3)
            for column in range(4)
        ],
        dim=1,
    )
    torch.testing.assert_close(tokens, wanted)
    torch.testing.assert_close(pooled, wanted.mean(1))


def test_tokens_to_map_lays_a_lifted_map_out_again():
    neck = LiftProjector(8, norm=False)
    feature = torch.randn(2, 8, 7, 7)
    tokens, _ = neck((feature,))
    assert tokens.shape == (2, 49, 8)
    assert torch.equal(TokensToMap().forward_train(tokens), feature)


def test_a_map_has_no_class_token():
    with pytest.raises(ValueError, match=r"pooling='cls' needs a class token; the map \(2, 8"):
        LiftProjector(8, 16, pooling='cls')((torch.randn(2, 8, 4, 4),))


SWIN = dict(
    type='SwinTransformer',
    arch=dict(embed_dims=8, depths=[1, 2], num_heads=[1, 2]),
    img_size=32,
    window_size=2,
    out_indices=(1,),
    norm_cfg=None,
    drop_path_rate=0.0,
)


def test_lift_on_swin_without_its_final_norm():
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=SWIN,
            neck=dict(type='mmvitkd.LiftProjector', in_channels=16, out_channels=64),
            head=dict(type='LinearClsHead', num_classes=5, in_channels=64),
        )
    )
    model.init_weights()
    images, stage = torch.randn(2, 3, 32, 32), []
    model.backbone.stages[1].register_forward_hook(lambda *args: stage.append(args[-1][0]))
    tokens = model.extract_feat(images, stage='neck')[0]
    wanted = F.layer_norm(F.linear(stage[0], model.neck.proj.weight), (64,))
    torch.testing.assert_close(tokens, wanted)
    F.cross_entropy(model(images), torch.tensor([1, 2])).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_without_its_final_norm_a_swin_is_otherwise_the_same():
    normed = MODELS.build(SWIN | dict(norm_cfg=dict(type='LN')))
    bare = MODELS.build(SWIN)
    state = normed.state_dict()
    removed = set(state) - set(bare.state_dict())
    assert removed == {'norm1.weight', 'norm1.bias'}
    bare.load_state_dict({k: v for k, v in state.items() if k not in removed})
    images = torch.randn(2, 3, 32, 32)
    feature = bare(images)[0].movedim(1, -1)
    torch.testing.assert_close(normed(images)[0].movedim(1, -1), normed.norm1(feature))
