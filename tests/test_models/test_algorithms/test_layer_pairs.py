"""Which layers a distillation compares."""

import mmvitkd  # noqa: F401
from mmvitkd.models.algorithms.layer_pairs import LayerPair, layer_pairs

import pytest
from mmengine.registry import MODELS
from toy_distillation import distillation, logits_and


def compared(**kwargs):
    return layer_pairs(MODELS.build(distillation(**kwargs)).distiller)


def test_pairs_are_named_after_their_losses():
    assert compared(pairs=[(0, 1), ('backbone.layers.2', 3)]) == [
        LayerPair('pair_0', 'backbone.layers.0', 'pair_0'),
        LayerPair('pair_1', 'backbone.layers.2', 'pair_1'),
    ]


def test_two_losses_of_the_same_layers_count_once():
    found = compared(
        pairs=None,
        pair_loss=None,
        pair_projector=None,
        distiller=logits_and('backbone.layers.2'),
    )
    assert found == [
        LayerPair('kd', 'head', 'logits'),
        LayerPair('first', 'backbone.layers.2', 'layer'),
    ]


class Distiller:
    """Mappings of one loss, whose recorders are as given."""

    def __init__(self, recorder, **mapping):
        model = MODELS.build(distillation())
        self.student_recorders = model.distiller.student_recorders
        if recorder is not None:
            self.student_recorders.recorders['pair_0'] = recorder
        self.loss_forward_mappings = dict(loss_any=mapping)


STUDENT = dict(recorder='pair_0', from_student=True)
TEACHER = dict(recorder='pair_0', from_student=False)


@pytest.mark.parametrize(
    ('recorder', 'mapping'),
    [
        (None, dict(a=STUDENT)),
        (None, dict(a=STUDENT, b=TEACHER, c=TEACHER)),
        (None, dict(a=dict(STUDENT, data_idx=1), b=TEACHER)),
        (None, dict(a=STUDENT, b=dict(TEACHER, record_idx=2))),
        (object(), dict(a=STUDENT, b=TEACHER)),
    ],
    ids=['no teacher', 'two of the teacher', 'another output', 'another call', 'no output'],
)
def test_what_is_no_comparison_of_two_outputs(recorder, mapping):
    assert layer_pairs(Distiller(recorder, **mapping)) == []


def test_the_first_output_may_be_named():
    mapping = dict(a=dict(STUDENT, data_idx=0), b=TEACHER)
    assert [pair.name for pair in layer_pairs(Distiller(None, **mapping))] == ['any']
