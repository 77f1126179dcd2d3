"""The distiller: MMRazor's, with the teacher's tensors given to it."""

import mmvitkd  # noqa: F401
from mmvitkd.models.algorithms.distiller import FeatureDistiller, build_distiller

import pytest
import torch
from toy_distillation import logits_and


@pytest.fixture
def distiller():
    return build_distiller(logits_and('backbone.layers.2'))


@pytest.mark.parametrize(
    'kind',
    ['ConfigurableDistiller', 'mmrazor.ConfigurableDistiller', 'mmvitkd.FeatureDistiller'],
)
def test_its_type_may_be_mmrazors(kind):
    config = dict(type=kind, **logits_and('backbone.layers.2'))
    assert type(build_distiller(config)) is FeatureDistiller


def test_another_type_is_refused():
    with pytest.raises(ValueError, match=r"^distiller\.type='mmrazor\.BYOTDistiller': wanted"):
        build_distiller(dict(type='mmrazor.BYOTDistiller'))


def test_the_teachers_tensors_pass_unchanged(distiller):
    logits, tokens = torch.randn(2, 5), torch.randn(2, 17, 8)
    distiller.teacher_tensors = dict(logits=logits, layer=(tokens, logits))
    assert distiller.get_record('logits', from_student=False) is logits
    assert distiller.get_record('layer', from_student=False, data_idx=0) is tokens
    found = distiller.get_record('layer', False, data_idx=0, connector='to_map')
    assert torch.equal(found.flatten(2).transpose(1, 2), tokens[:, 1:])
    image = distiller.get_record('layer', False, 0, 0, connector='to_map', connector_idx=1)
    assert torch.equal(image, found[1])


def test_a_teacher_hands_over_its_first_call_only(distiller):
    with pytest.raises(ValueError, match='record_idx=1'):
        distiller.get_record('logits', from_student=False, record_idx=1)
