"""Distillation without labels: any teacher's embedding and patch tokens, and no head."""

from copy import deepcopy

import mmvitkd  # noqa: F401
from mmvitkd.analysis import distillation_cost_of
from mmvitkd.models.algorithms.layer_pairs import layer_pairs
from mmvitkd.models.algorithms.unused_parameters import unused_message, unused_parameters

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from older_versions import skip_before
from test_models.test_students.test_image_encoder import encoder
from toy import PREPROCESSOR, WIDE_ARCH, vit

PAIRS = [('embedding', 'embedding'), ('tokens', 'tokens')]
SMALL = dict(img_size=32, embed_dim=32, depth=2, num_heads=4, num_classes=0)


def timm(name, **kwargs):
    return dict(type=f'timm:{name}', **SMALL, **kwargs)


TEACHERS = {
    'DINOv2 with registers': timm('vit_small_patch14_reg4_dinov2', patch_size=8),
    'DINOv3': timm('vit_small_patch16_dinov3', patch_size=8, dynamic_img_size=False),
    'CLIP': timm('vit_base_patch16_clip_224', patch_size=8),
    'SigLIP': timm('vit_base_patch16_siglip_224', patch_size=8),
    'MMPretrain': dict(
        type='mmpretrain.ImageClassifier',
        data_preprocessor=dict(PREPROCESSOR),
        backbone=dict(vit(WIDE_ARCH)['backbone']),
    ),
    'an encoder': encoder('widelast'),
}


def label_free(teacher='CLIP', student='vit', pairs=PAIRS, **kwargs):
    """The config of a distillation without labels."""
    if teacher == 'DINOv3':
        skip_before('timm', '1.0.20', 'DINOv3')
    projector = dict(in_channels=16, out_channels=32, norm='LN', norm_first=True, bias=True)
    defaults = dict(
        type='mmvitkd.FeatureDistill',
        architecture=encoder(student),
        teacher=deepcopy(TEACHERS[teacher]),
        allow_random_teacher=True,
        pairs=pairs,
        pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=2.0),
        pair_projector=projector if student == 'vit' else None,
    )
    return {**defaults, **kwargs}


def images(count=4):
    generator = torch.Generator().manual_seed(3)
    pixels = torch.randint(0, 256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return dict(inputs=list(pixels), data_samples=[DataSample() for _ in pixels])


def step(model):
    """Train a step; return what is logged."""
    optimizer = torch.optim.AdamW(model.parameters())
    logged = model.train_step(images(), OptimWrapper(optimizer))
    # AdamW has a state for what had a gradient, and for nothing else.
    lacking = [name for name, p in model.named_parameters() if p not in optimizer.state]
    assert lacking == unused_parameters(model)
    return logged


@pytest.mark.parametrize('teacher', TEACHERS)
def test_any_teacher_distils_a_step(teacher):
    model = MODELS.build(label_free(teacher))
    logged = step(model)
    assert set(logged) == {'loss', 'distill.loss_pair_0', 'distill.loss_pair_1'}
    assert all(value.isfinite() and value > 0 for value in logged.values())
    assert unused_parameters(model) == []


@pytest.mark.parametrize('student', ['widelast', 'lift', 'swin'])
def test_students_that_keep_the_teachers_width(student):
    pairs = [('tokens', 'tokens')] if student == 'lift' else PAIRS
    model = MODELS.build(label_free('DINOv2 with registers', student, pairs))
    step(model)
    assert unused_parameters(model) == []


@pytest.mark.parametrize('teacher', ['DINOv2 with registers', 'DINOv3', 'CLIP', 'SigLIP'])
def test_the_targets_are_timms_own(teacher):
    """``forward_features``, its pooling, and its tokens without the first ones."""
    model = MODELS.build(label_free(teacher))
    live = model.teacher.model.model
    pixels = torch.randn(2, 3, 32, 32)
    samples = [DataSample() for _ in pixels]
    with torch.no_grad(), model.records(pixels, samples):
        found = [
            model.distiller.get_record(**model.distiller.loss_forward_mappings[loss]['preds_T'])
            for loss in ('loss_pair_0', 'loss_pair_1')
        ]
        normalised = model.teacher.renormalize(pixels)
        tokens = live.forward_features(normalised)
        embedding = live.forward_head(tokens, pre_logits=True)
    torch.testing.assert_close(found[0].tokens[:, 0], embedding)
    torch.testing.assert_close(found[1].tokens, tokens[:, live.num_prefix_tokens :])
    assert found[0].grid == (1, 1)


def test_the_loss_in_float64():
    """MSE of the class tokens plus MSE of the patches, each after its LayerNorm and Linear."""
    model = MODELS.build(label_free('CLIP')).double()
    model.teacher.apply(lambda tensor: tensor.double())
    pixels = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    losses = model.loss(pixels, [DataSample() for _ in pixels])
    live = model.teacher.model.model
    with torch.no_grad():
        targets = live.forward_features(model.teacher.renormalize(pixels))
        (outputs,) = model.student.extract_feat(pixels)
        wanted = []
        for i, part in enumerate([slice(0, 1), slice(1, None)]):
            projector = model.distiller.connectors[f'pair_{i}_S']
            x = outputs[:, part]
            x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, False, keepdim=True) + 1e-5).sqrt()
            x = x * projector.norm.weight + projector.norm.bias
            x = x @ projector.proj.weight.T + projector.proj.bias
            wanted.append(((x - targets[:, part]) ** 2).mean())
    found = [losses[f'distill.loss_pair_{i}'] for i in range(2)]
    torch.testing.assert_close(torch.stack(found).detach(), torch.stack(wanted))


def test_a_teacher_with_classes_has_an_embedding_too():
    teacher = TEACHERS['CLIP'] | dict(num_classes=7)
    model = MODELS.build(label_free() | dict(teacher=teacher))
    live = model.teacher.model.model
    pixels = torch.randn(2, 3, 32, 32)
    found = model.teacher(pixels)['pair_0'][0]
    with torch.no_grad():
        wanted = live.forward_head(
            live.forward_features(model.teacher.renormalize(pixels)), pre_logits=True
        )
    torch.testing.assert_close(found, wanted)


def test_distillation_is_not_stopped_where_nothing_else_is_learned():
    model = MODELS.build(label_free())
    model.distillation_stopped = True
    with pytest.raises(ValueError, match='StopDistillHook: the student has no loss'):
        step(model)


def test_with_labels_the_same_pairs_are_added_to_the_label_loss():
    model = MODELS.build(label_free(architecture=vit()))
    data = images()
    for sample in data['data_samples']:
        sample.set_gt_label(1)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    logged = model.train_step(data, wrapper)
    assert {'student.loss', 'distill.loss_pair_0', 'distill.loss_pair_1'} < set(logged)


def test_validation_gives_embeddings_and_cost_is_counted():
    model = MODELS.build(label_free())
    samples = model.val_step(images())
    assert {sample.embedding.shape for sample in samples} == {(16,)}
    cost = distillation_cost_of(model, (32, 32))
    assert cost.teacher.macs > cost.student.macs > cost.losses.macs > 0


def test_an_embedding_is_no_layer_to_analyse():
    pairs = layer_pairs(MODELS.build(label_free()).distiller)
    assert [(p.name, p.student) for p in pairs] == [('pair_1', 'backbone.ln1')]


def test_a_layer_that_no_loss_reads_is_named():
    model = MODELS.build(label_free(pairs=[(2, 1)]))
    names = unused_parameters(model)
    assert names == [f'architecture.backbone.ln1.{x}' for x in ('weight', 'bias')]
    assert 'no loss depends on backbone.ln1, so' in str(unused_message(names))
    step(model)


@pytest.mark.parametrize(
    'pair', [('embedding', 'tokens'), ('tokens', 'embedding'), (2, 'embedding')]
)
def test_an_embedding_against_tokens_is_refused(pair):
    with pytest.raises(ValueError, match=r'^pairs\[0\]=.*an embedding is one vector'):
        MODELS.build(label_free(pairs=[pair]))


def test_a_backbone_alone_is_no_teacher():
    teacher = dict(vit(WIDE_ARCH)['backbone'])
    with pytest.raises(ValueError, match=r'^teacher: a VisionTransformer is a backbone alone'):
        MODELS.build(label_free() | dict(teacher=teacher))


def test_a_teacher_without_a_single_embedding():
    name = 'deit_tiny_distilled_patch16_224'
    teacher = dict(type=f'timm:{name}', img_size=32, patch_size=8, depth=2)
    message = r"^pairs\[0\]\[1\]='embedding': the teacher .* has no single one"
    with pytest.raises(ValueError, match=message):
        MODELS.build(label_free() | dict(teacher=teacher))


def test_a_teacher_whose_output_is_no_token_map():
    teacher = dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(type='ResNet', depth=18, out_indices=(3,)),
        neck=dict(type='GlobalAveragePooling'),
    )
    config = label_free(pairs=[('tokens', 'neck')]) | dict(teacher=teacher)
    with pytest.raises(ValueError, match=r"pairs\[0\].*the teacher's feature: wanted tokens"):
        MODELS.build(config)
