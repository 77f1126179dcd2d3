"""Several layer pairs, in ViTs and over Swin's stages, against the formula in numpy float64."""

import copy

import mmvitkd  # noqa: F401

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample
from toy import PREPROCESSOR, vit

SPECTRAL = dict(type='mmvitkd.SpectralLoss', loss_weight=0.2)
# SpectralKD's choice (arXiv 2412.19055): the first two blocks and the last six.
EIGHT = [(0, 0), (1, 1), *((s, s + 12) for s in range(6, 12))]
DEPTH_12 = dict(embed_dims=16, num_layers=12, num_heads=2, feedforward_channels=32)
CAIT = dict(
    type='timm:cait_s24_224',
    img_size=32,
    patch_size=8,
    embed_dim=40,
    num_heads=4,
    num_classes=5,
)
SWIN_DEPTHS, SWIN_HEADS = (1, 1, 2, 1), (1, 2, 4, 8)
SWIN = dict(
    type='mmpretrain.ImageClassifier',
    data_preprocessor=dict(PREPROCESSOR),
    backbone=dict(
        type='SwinTransformer',
        arch=dict(embed_dims=16, depths=SWIN_DEPTHS, num_heads=SWIN_HEADS),
        img_size=64,
        window_size=2,
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=5, in_channels=128),
)
TIMM_SWIN = dict(
    type='timm:swin_small_patch4_window7_224',
    window_size=2,
    embed_dim=24,
    depths=SWIN_DEPTHS,
    num_heads=SWIN_HEADS,
    num_classes=5,
)


def distill(student, teacher, pairs, **kwargs):
    config = dict(
        type='mmvitkd.FeatureDistill',
        architecture=student,
        teacher=teacher,
        pairs=pairs,
        pair_loss=SPECTRAL,
        allow_random_teacher=True,
    )
    model = MODELS.build(copy.deepcopy({**config, **kwargs}))
    for parameter in (*model.student.parameters(), *model.teacher.model.parameters()):
        torch.nn.init.normal_(parameter, std=0.2)
    return model.double().eval()


def naive_pool(x, channels):
    """Channel i of C' is the mean of channels floor(iC/C') to ceil((i+1)C/C') - 1."""
    total = x.shape[1]
    bins = [
        x[:, i * total // channels : -(-(i + 1) * total // channels)] for i in range(channels)
    ]
    return np.stack([part.mean(1) for part in bins], 1)


def naive_resize(x, side):
    """Rows and columns weighted by a triangle as wide as two pixels of the result."""
    scale = x.shape[2] / side
    centres, places = (np.arange(side) + 0.5) * scale, np.arange(x.shape[2]) + 0.5
    weights = np.maximum(0, 1 - abs(places - centres[:, None]) / scale)
    weights /= weights.sum(1, keepdims=True)
    return weights @ x @ weights.T


def naive_spectral(student, teacher):
    """Mean square of the real and imaginary parts of the orthonormal half spectrum."""
    channels, side = min(student.shape[1], teacher.shape[1]), student.shape[2]
    teacher = naive_pool(teacher, channels)
    if teacher.shape[2] != side:
        teacher = naive_resize(teacher, side)
    transform = np.exp(-2j * np.pi * np.outer(range(side), range(side)) / side) / side**0.5
    error = naive_pool(student, channels) - teacher
    spectrum = (transform @ error @ transform.T)[..., : side // 2 + 1]
    return np.mean([spectrum.real**2, spectrum.imag**2])


def vit_maps(model, images):
    """The output of every block, from MMPretrain's and timm's own functions."""
    backbone = copy.deepcopy(model.student.backbone)
    backbone.out_type, backbone.final_norm = 'raw', False
    backbone.out_indices = range(12)
    maps = [x[:, 1:].transpose(1, 2).unflatten(2, (4, 4)) for x in backbone(images)]
    return maps, teacher_maps(model, images)


def swin_maps(model, images):
    """The output of every stage; without the last one's norm, which is no part of it."""
    config = dict(SWIN['backbone'], out_indices=(0, 1, 2, 3), norm_cfg=None)
    backbone = MODELS.build(config).double()
    backbone.eval()
    weights = model.student.backbone.state_dict()
    backbone.load_state_dict({k: v for k, v in weights.items() if 'norm3' not in k})
    return backbone(images), teacher_maps(model, images)


def teacher_maps(model, images):
    images, network = model.teacher.renormalize(images), model.teacher.model.model
    size = network.patch_embed.img_size
    if size != tuple(images.shape[2:]):
        images = F.interpolate(images, size, mode='bicubic', antialias=True)
    return network.forward_intermediates(
        images, norm=False, output_fmt='NCHW', intermediates_only=True
    )


def check(model, maps, pairs, side):
    """Each pair's loss is the formula's times the weight over the number of pairs."""
    torch.manual_seed(1)
    images = torch.randn(2, 3, side, side, dtype=torch.float64)
    samples = [DataSample().set_gt_label(i) for i in range(2)]
    with torch.no_grad():
        losses = model(images, samples, mode='loss')
        student, teacher = ([x.numpy() for x in found] for found in maps(model, images))
    naive = [naive_spectral(student[s], teacher[t]) for s, t in pairs]
    assert len(set(naive)) == len(pairs) and min(naive) > 0.01
    found = [value.item() for name, value in losses.items() if 'pair' in name]
    assert found == pytest.approx([0.2 / len(pairs) * x for x in naive], rel=1e-10)
    assert sum(found) == pytest.approx(0.2 * np.mean(naive), rel=1e-10)
    return [(s.shape[1:3], t.shape[1:3]) for s, t in zip(student, teacher, strict=False)]


@pytest.mark.parametrize('pairs', [EIGHT, [(0, 0), (11, 23)], [(0, 0)], [(11, 23)]])
def test_blocks_of_vits(pairs):
    shapes = check(distill(vit(DEPTH_12), CAIT, pairs), vit_maps, pairs, 32)
    assert set(shapes) == {((16, 4), (40, 4))}


@pytest.mark.parametrize('teacher_side', [64, 128])
def test_swins_stages(teacher_side):
    """The second teacher is made for larger images: its grids are interpolated."""
    pairs = [(stage, stage) for stage in range(4)]
    model = distill(SWIN, dict(TIMM_SWIN, img_size=teacher_side), pairs)
    widths, teacher_widths = (16, 32, 64, 128), (24, 48, 96, 192)
    grids, teacher_grids = (16, 8, 4, 2), [teacher_side // 4 // 2**i for i in range(4)]
    assert check(model, swin_maps, pairs, 64) == [
        *zip(
            zip(widths, grids, strict=True),
            zip(teacher_widths, teacher_grids, strict=True),
            strict=True,
        )
    ]


def test_a_wider_students_stage_is_pooled():
    """The student's second stage, 32 wide, with the teacher's first: 24, on twice its grid."""
    model = distill(SWIN, dict(TIMM_SWIN, img_size=64), [(1, 0)])
    check(model, swin_maps, [(1, 0)], 64)


@pytest.mark.parametrize(
    ('student', 'teacher', 'last', 'message'),
    [
        (
            vit(DEPTH_12),
            CAIT,
            (12, 23),
            r'pairs\[7\]\[0\]=12: the student \(ImageClassifier\) has 12 blocks .* 0 to 11',
        ),
        (
            vit(DEPTH_12),
            CAIT,
            (11, 24),
            r'pairs\[7\]\[1\]=24: the teacher \(TimmClassifier\) has 24 blocks .* 0 to 23',
        ),
        (
            SWIN,
            dict(TIMM_SWIN, img_size=64),
            (4, 3),
            r'pairs\[7\]\[0\]=4: the student .* has 4 blocks or stages, .* 0 to 3',
        ),
        (
            SWIN,
            dict(TIMM_SWIN, img_size=64),
            (3, 4),
            r'pairs\[7\]\[1\]=4: the teacher .* has 4 blocks or stages, .* 0 to 3',
        ),
    ],
)
def test_a_layer_out_of_range_fails_at_build(student, teacher, last, message):
    with pytest.raises(ValueError, match=message):
        distill(student, teacher, [(0, 0)] * 7 + [last])


def test_student_and_teacher_layers_cannot_differ_in_number():
    """They are written pair by pair: there is no list of one side to be too short."""
    with pytest.raises(
        ValueError, match=r'pairs\[7\]=\(11,\): wanted \(student layer, teacher'
    ):
        distill(vit(DEPTH_12), CAIT, [*EIGHT[:7], (11,)])
    with pytest.raises(
        ValueError, match=r'pairs\[0\]=\[0, 1, 6\]: wanted \(student layer, tea'
    ):
        distill(vit(DEPTH_12), CAIT, [[0, 1, 6], [0, 1]])


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (
            dict(distiller=dict(distill_losses=dict(loss_mse=dict(loss_weight=0.5)))),
            r"distill_losses\['loss_mse'\]: 'loss_mse' is not in "
            r"distiller\.loss_forward_mappings, which has 'loss_pair_0'",
        ),
        (
            dict(distiller=dict(distill_losses=dict(loss_pair_0=dict(loss_weight=0.5)))),
            r"distiller\.distill_losses: pairs needs the name 'loss_pair_0'",
        ),
        (dict(pairs=None), r'pairs=None and pair_loss=.*: give both or neither'),
        (dict(pairs=[]), r'pairs=\[\] and pair_loss=.*: give both or neither'),
    ],
)
def test_a_weight_for_a_loss_that_is_not_there_fails_at_build(kwargs, message):
    with pytest.raises(ValueError, match=message):
        distill(vit(DEPTH_12), CAIT, **{'pairs': [(11, 23)], **kwargs})
