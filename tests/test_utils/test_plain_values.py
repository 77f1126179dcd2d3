"""Metrics of every kind can be written as JSON."""

import json

import mmvitkd  # noqa: F401
from mmvitkd.utils.plain_values import plain_values

import numpy as np
import torch


def test_tensors_and_arrays_become_lists():
    values = {
        'matrix': torch.tensor([[1, 2], [3, 4]]),
        'nested': (np.arange(2), [torch.tensor(0.5), {'x': np.int64(7)}]),
        'name': 'a',
        'none': None,
    }
    found = plain_values(values)
    assert found == {
        'matrix': [[1, 2], [3, 4]],
        'nested': [[0, 1], [0.5, {'x': 7}]],
        'name': 'a',
        'none': None,
    }
    assert json.loads(json.dumps(found)) == found
