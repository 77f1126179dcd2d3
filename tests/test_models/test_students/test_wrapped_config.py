"""Parts that a whole model of timm does not take are refused before it is built."""

import mmvitkd  # noqa: F401
from mmvitkd.models.students import check_wrapped

import pytest

TIMM = dict(type='mmpretrain.TimmClassifier', model_name='vit_tiny_patch16_224')


@pytest.mark.parametrize('part', ['neck', 'backbone', 'head'])
@pytest.mark.parametrize('kind', ['TimmClassifier', 'mmpretrain.HuggingFaceClassifier'])
def test_parts_of_an_image_classifier(kind, part):
    lift = dict(type='mmvitkd.LiftProjector', in_channels=48, out_channels=64)
    with pytest.raises(ValueError, match=rf'architecture\.{part}: .*ImageClassifier'):
        check_wrapped(dict(TIMM, type=kind) | {part: lift})


def test_an_unknown_name_lists_what_comes_close():
    with pytest.raises(ValueError, match=r"model_name='vit_tinny'.*vit_tiny_patch16_224"):
        check_wrapped(dict(TIMM, model_name='vit_tinny'))


def test_other_students_are_not_looked_at():
    check_wrapped(dict(type='ImageClassifier', neck=dict(type='x')))
    check_wrapped(object())
    check_wrapped(TIMM)
