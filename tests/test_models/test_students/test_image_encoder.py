"""ImageEncoder: embeddings and patch tokens without a head, and what it refuses."""

from copy import deepcopy

import mmvitkd  # noqa: F401
from mmvitkd.registry import MODELS

import pytest
import torch
from mmpretrain.structures import DataSample
from toy import ARCH, PREPROCESSOR, vit
from toy_students import SWIN

IMAGES = torch.randn(2, 3, 32, 32)


def encoder(kind='vit', **backbone):
    """The config of a label-free student of 32 x 32 images: 4 x 4 patches."""
    base = dict(vit(ARCH)['backbone'], out_type='raw')
    neck = None
    if kind == 'widelast':
        base = dict(type='mmvitkd.WideLast', base=base, width=32)
    elif kind == 'lift':
        base |= dict(final_norm=False)
        neck = dict(type='mmvitkd.LiftProjector', in_channels=16, out_channels=32)
    elif kind == 'swin':
        base = dict(type='SwinTransformer', arch=SWIN, img_size=32, window_size=4)
        base['out_indices'] = (1,)
    return dict(
        type='mmvitkd.ImageEncoder',
        data_preprocessor=dict(PREPROCESSOR),
        backbone=base | backbone,
        neck=neck,
    )


@pytest.mark.parametrize(
    ('kind', 'tokens', 'width'),
    [('vit', 16, 16), ('widelast', 16, 32), ('lift', 16, 32), ('swin', 16, 16)],
)
def test_embeddings_and_tokens(kind, tokens, width):
    model = MODELS.build(encoder(kind)).eval()
    embedding, found = model(IMAGES)
    assert embedding.shape == (2, width) and found.shape == (2, tokens, width)
    if kind in ('lift', 'swin'):
        torch.testing.assert_close(embedding, found.mean(1))
    else:
        (output,) = model.extract_feat(IMAGES)
        assert torch.equal(output, torch.cat([embedding[:, None], found], 1))


def test_without_a_class_token_the_embedding_is_the_mean():
    model = MODELS.build(encoder(with_cls_token=False)).eval()
    embedding, tokens = model(IMAGES)
    assert tokens.shape == (2, 16, 16)
    torch.testing.assert_close(embedding, tokens.mean(1))


def test_its_tensors_are_those_of_mmpretrains_classifier():
    """The class token is what MMPretrain's head reads; the rest are timm's patch tokens."""
    model, classifier = MODELS.build(encoder()).eval(), MODELS.build(vit()).eval()
    model.backbone.load_state_dict(classifier.backbone.state_dict())
    (wanted,) = classifier.extract_feat(IMAGES)
    assert torch.equal(model(IMAGES)[0], wanted)


def test_predictions_are_embeddings():
    model = MODELS.build(encoder()).eval()
    samples = [DataSample().set_gt_label(i) for i in range(2)]
    found = model(IMAGES, samples, mode='predict')
    assert [sample.gt_label.item() for sample in found] == [0, 1]
    assert torch.equal(torch.stack([s.embedding for s in found]), model(IMAGES)[0])
    assert [s.embedding.shape for s in model(IMAGES, mode='predict')] == [(16,)] * 2


def test_no_label_and_no_loss():
    assert MODELS.build(encoder())(IMAGES, [DataSample()] * 2, mode='loss') == {}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(head=dict(type='LinearClsHead')), r'^architecture\.head=.*wanted None'),
        (dict(neck=dict(type='GlobalAveragePooling')), r'neck=GlobalAveragePooling: .*remedy'),
        (dict(backbone=dict(vit()['backbone'])), r"out_type='cls_token': .*wanted 'raw'"),
    ],
)
def test_parts_that_hide_the_tokens_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(deepcopy(encoder()) | change)
