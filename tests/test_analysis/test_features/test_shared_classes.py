"""Labels of images are a model's own only if the classes have the same names."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.features.shared_classes import class_names, shared_classes
from mmvitkd.datasets.image_list import ImageList

import pytest
from torch import nn

ANIMALS = ('ant', 'bee')


def model_of(names):
    model = nn.Identity()
    if names is not None:
        model._dataset_meta = {'classes': names}
    return model


def images_of(classes):
    labels = None if classes is None else (0, 1)
    return ImageList('images', ('a.png', 'b.png'), labels, classes)


@pytest.mark.parametrize('names', [None, ANIMALS, list(ANIMALS)])
def test_the_same_classes(names):
    assert shared_classes(model_of(names), images_of(ANIMALS)) == 2


@pytest.mark.parametrize('names', [('bee', 'ant'), ('cat', 'dog'), (*ANIMALS, 'cat')])
def test_equally_many_classes_are_not_the_same(names):
    assert shared_classes(model_of(names), images_of(ANIMALS)) is None


def test_images_without_classes():
    assert shared_classes(model_of(ANIMALS), images_of(None)) is None


def test_a_model_without_names():
    assert class_names(nn.Identity()) is None
