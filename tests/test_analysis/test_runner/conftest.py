"""A small model in double precision, and images for it."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.features.extractor import FeatureExtractor
from mmvitkd.datasets.image_batches import ImageBatch

import pytest
import torch
from mmengine.registry import MODELS
from toy import timm_vit

NUM_IMAGES = 9


@pytest.fixture
def model():
    """Of 5 classes; so precise that batches of other sizes give the same to 1e-9."""
    return MODELS.build(timm_vit()).double().eval()


@pytest.fixture
def images():
    torch.manual_seed(1)
    return torch.randn(NUM_IMAGES, 3, 32, 32, dtype=torch.float64)


@pytest.fixture
def batches(images):
    """Cuts the images into batches, with labels; also others of as many."""

    def cut(size=4, of=images):
        labels, indices = torch.arange(len(of)) % 5, torch.arange(len(of))
        parts = zip(of.split(size), labels.split(size), indices.split(size), strict=True)
        return [ImageBatch(*part) for part in parts]

    return cut


@pytest.fixture
def source(model):
    return FeatureExtractor(model, 'all')
