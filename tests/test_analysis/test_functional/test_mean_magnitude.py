"""Magnitude, and the behaviour of all measures of one number per image."""

import json

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.mean_magnitude import Magnitude

import numpy as np
import pytest
import tokens
import torch
from splits import check_splits


def measured(features):
    measure = Magnitude()
    measure.update(features)
    return measure.result()


@pytest.mark.parametrize('kind', tokens.KINDS)
def test_the_magnitude_is_the_mean_of_absolute_values(kind):
    features = tokens.KINDS[kind]()
    found = measured(features)
    values = np.array([np.mean(np.abs(image)) for image in features.double().numpy()])
    assert found['mean'] == pytest.approx(features.double().abs().mean().item(), rel=1e-12)
    assert found['std'] == pytest.approx(values.std(), rel=1e-6)
    assert found['median'] == pytest.approx(np.median(values), rel=1e-12)


def test_a_magnitude_by_hand():
    features = torch.tensor([[[1.0, -3.0]], [[0.0, 0.0]]])
    assert measured(features)['mean'] == 1
    assert measured(features)['std'] == 1


@pytest.mark.parametrize('kind', tokens.KINDS)
def test_any_split_into_batches_and_processes_is_the_same(kind):
    check_splits(Magnitude, tokens.KINDS[kind]())


def test_a_result_is_json_and_half_precision_is_raised():
    features = 1e4 * tokens.random_tokens().half()
    found = measured(features)
    assert json.loads(json.dumps(found)) == found == measured(features.double())


def test_nothing_measured_is_refused():
    with pytest.raises(ValueError, match='nothing measured: Magnitude has no image'):
        Magnitude().result()
