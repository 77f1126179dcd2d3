"""Cost against counts made by hand and figures that are published."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis import cost_of, distillation_cost_of

import pytest
import timm
import torch
import toy
from mmpretrain.registry import MODELS
from torch import nn


def test_a_small_network_by_hand():
    network = nn.Sequential(nn.Conv2d(3, 4, 2, stride=2), nn.Flatten(), nn.Linear(64, 5))
    parameters = (3 * 4 * 4 + 4) + (64 * 5 + 5)
    macs = 16 * 4 * (3 * 4) + 64 * 5
    assert cost_of(network, (8, 8)) == (parameters, macs)


def test_attention_is_counted():
    """A published figure: DeiT-Tiny, 2.507 GFLOPs."""
    cost = cost_of(timm.create_model('deit_tiny_patch16_224'), (224, 224))
    assert cost.parameters == 5_717_416
    assert round(2 * cost.macs / 1e9, 3) == 2.507


def test_a_trainable_cait():
    """Its class token, an expanded parameter, upsets torch's counter without gradients."""
    small = dict(img_size=32, embed_dim=16, depth=1, num_heads=2, depth_token_only=1)
    network = timm.create_model('cait_xxs24_224', num_classes=5, **small)
    with torch.no_grad():
        cost = cost_of(network, (32, 32))
    patches, width, hidden = 4, 16, 64
    embed = patches * 3 * 16**2 * width
    layer = patches * width * (4 * width + 2 * hidden)
    # Query times key, times value, and the two mixtures of the heads.
    attention = 2 * patches**2 * width + 2 * patches**2 * 2**2
    # The class token attends to itself and the patches, without mixing heads.
    keys = patches + 1
    class_layer = width * (2 * width + 2 * keys * width + 2 * hidden) + 2 * keys * width
    assert cost.macs == embed + layer + attention + class_layer + width * 5


def test_the_mode_of_the_model_stays():
    network = nn.Conv2d(3, 1, 1).train()
    cost_of(network, (4, 4))
    assert network.training


def vit_macs(width, layers, hidden, side=32, patch=8, classes=5):
    """Products of a plain ViT with a class token."""
    patches = (side // patch) ** 2
    tokens = patches + 1
    block = tokens * width * (4 * width + 2 * hidden) + 2 * tokens**2 * width
    return patches * 3 * patch**2 * width + layers * block + width * classes


def build(teacher, connector):
    """A distillation of the toy students' last block, with a connector for its map."""
    side = dict(recorder='block', from_student=True, connector='projector')
    return MODELS.build(
        dict(
            type='mmvitkd.FeatureDistill',
            architecture=toy.vit(),
            teacher=teacher,
            allow_random_teacher=True,
            distiller=dict(
                _scope_='mmrazor',
                student_recorders=dict(
                    block=dict(type='ModuleOutputs', source='backbone.layers.2')
                ),
                teacher_recorders=dict(
                    block=dict(type='ModuleOutputs', source='backbone.layers.3')
                ),
                connectors=dict(projector=connector, teacher=dict(type='mmvitkd.TokensToMap')),
                distill_losses=dict(loss_block=dict(type='mmvitkd.FeatureMSELoss')),
                loss_forward_mappings=dict(
                    loss_block=dict(
                        preds_S=side,
                        preds_T=dict(recorder='block', from_student=False, connector='teacher'),
                    )
                ),
            ),
        )
    )


def test_a_distillation_by_hand():
    projector = dict(type='mmvitkd.ProjectorConnector', in_channels=16, out_channels=32)
    algorithm = build(toy.vit(toy.WIDE_ARCH), projector)
    before = {k: v.clone() for k, v in algorithm.state_dict().items()}
    cost = distillation_cost_of(algorithm, (32, 32))
    student, losses = vit_macs(16, 3, 32), 16 * 16 * 32
    teacher = vit_macs(32, 4, 64, classes=0)  # it ends at its last block
    assert cost.student.macs == student
    assert cost.teacher.macs == teacher
    assert cost.losses == (16 * 32 + 32, losses)
    assert cost.teacher_size == (32, 32)
    assert cost.share == pytest.approx((teacher + 3 * losses) / (3 * student))
    assert algorithm.training
    assert all(v.equal(before[k]) for k, v in algorithm.state_dict().items())


def test_a_teacher_counts_as_far_as_it_runs():
    options = dict(
        type='mmvitkd.FeatureDistill',
        architecture=toy.vit(),
        teacher=toy.vit(toy.WIDE_ARCH),
        allow_random_teacher=True,
        pairs=[(0, 1)],
        pair_loss=dict(type='mmvitkd.FeatureMSELoss'),
        compile_student=True,
    )
    cost = distillation_cost_of(MODELS.build(options), (32, 32))
    assert cost.teacher.macs == vit_macs(32, 2, 64, classes=0)
    assert cost.student.macs == vit_macs(16, 3, 32)


def test_a_teacher_counts_at_the_size_it_runs_at():
    teacher = toy.vit(toy.WIDE_ARCH)
    teacher['backbone']['img_size'] = 64
    algorithm = build(teacher, dict(type='mmvitkd.TokensToMap'))
    cost = distillation_cost_of(algorithm, (32, 32))
    assert cost.teacher_size == (64, 64)
    assert cost.teacher.macs == vit_macs(32, 4, 64, side=64, classes=0)
    assert cost.losses.parameters == 0
