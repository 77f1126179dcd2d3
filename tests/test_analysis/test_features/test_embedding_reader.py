"""The embedding of models of other kinds, alone; test_image_features.py has more of them."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.features.embedding_reader import EmbeddingReader

import pytest
import torch
from mmpretrain.registry import MODELS
from test_models.test_students.test_image_encoder import encoder
from toy_students import build

IMAGES = torch.randn(2, 3, 32, 32)


def test_blocks_need_not_be_known():
    backbone = dict(type='ResNet', depth=18)
    neck = dict(type='GlobalAveragePooling')
    model = MODELS.build(dict(type='ImageClassifier', backbone=backbone, neck=neck)).eval()
    found = EmbeddingReader(model)(IMAGES)
    with torch.no_grad():
        assert torch.equal(found, model.extract_feat(IMAGES)[-1])
    assert found.shape == (2, 512)


def test_no_hook_is_left():
    model = build(encoder('lift'))
    embedding = EmbeddingReader(model)(IMAGES)
    assert not embedding.requires_grad and not model.neck._forward_hooks
    reader = EmbeddingReader(model)
    with pytest.raises(RuntimeError):
        reader(IMAGES[:, :2])
    assert not model.neck._forward_hooks


def test_a_model_of_no_known_family_is_named():
    with pytest.raises(ValueError, match=r'Linear: it is not known what its embedding is'):
        EmbeddingReader(torch.nn.Linear(2, 2))
