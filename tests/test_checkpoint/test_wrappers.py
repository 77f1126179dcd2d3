"""Prefixes and containers around a state dict are taken off, and nothing else."""

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.wrappers import fit_names, plain_names, weights_in, without_front

import pytest
import torch

ONE = torch.ones(1)


@pytest.mark.parametrize(
    ('given', 'plain'),
    [
        (['module.fc.bias', 'fc.weight'], ['fc.bias', 'fc.weight']),
        (['_orig_mod.fc._orig_mod.bias'], ['fc.bias']),
    ],
)
def test_names(given, plain):
    assert list(plain_names(dict.fromkeys(given, ONE))) == plain


@pytest.mark.parametrize(
    ('given', 'plain'),
    [
        (['model.fc.bias', 'model.fc.weight'], ['fc.bias', 'fc.weight']),
        (['model.module.model.fc.bias'], ['fc.bias']),
        (['model.fc.bias', 'head.bias'], ['model.fc.bias', 'head.bias']),
    ],
)
def test_what_is_in_front_of_all_names(given, plain):
    assert list(without_front(dict.fromkeys(given, ONE))) == plain


def test_a_model_may_have_all_layers_under_model():
    own = {'model.fc.bias': ONE}
    assert fit_names(own, own) == own
    assert fit_names(own, {'model.model.fc.bias': ONE}) == {'model.model.fc.bias': ONE}
    assert fit_names({'fc.bias': ONE}, own) == {'fc.bias': ONE}


def test_the_counter_of_an_average_is_no_weight():
    weights = {'module.fc.bias': ONE, 'n_averaged': torch.tensor(3), 'steps': torch.tensor(3)}
    assert list(plain_names(weights)) == ['fc.bias']
    assert list(plain_names({'module.steps': ONE, 'module.a': ONE})) == ['steps', 'a']


def test_where_the_weights_are():
    weights = {'fc.bias': ONE}
    assert weights_in(weights) == ('', weights)
    assert weights_in(dict(model=weights, ema=weights, epoch=3)) == ('model', weights)
    assert weights_in(dict(state_dict=dict(model=weights))) == ('state_dict.model', weights)
    assert weights_in(dict(student=weights, teacher={'a': ONE})) == ('teacher', {'a': ONE})
    assert weights_in(dict(ema=weights, epoch=3)) == ('ema', weights)
