"""Plain data for checkpoints, and what is refused."""

from collections import OrderedDict
from enum import IntEnum

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.serialize import history_buffers, to_plain

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer


class Order(IntEnum):
    BILINEAR = 2


def _through_a_file(value, tmp_path):
    torch.save(value, tmp_path / 'file.pth')
    return torch.load(tmp_path / 'file.pth', weights_only=True)


@pytest.mark.parametrize(
    ('value', 'wanted'),
    [
        (None, None),
        (True, True),
        (3, 3),
        (0.5, 0.5),
        ('a', 'a'),
        (b'a', b'a'),
        (np.float64(0.5), 0.5),  # a float, but not a plain one
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_('a'), 'a'),
        (Order.BILINEAR, 2),
        (np.array(['cat', 'dog']), ['cat', 'dog']),
        ([1, (2, np.float64(3))], [1, (2, 3.0)]),
        (torch.Size([2, 3]), [2, 3]),
        (ConfigDict(a=dict(b=[np.int64(1)])), {'a': {'b': [1]}}),
        (OrderedDict(a=1), {'a': 1}),
        ({np.int64(7): 'seven', 'x': {}}, {7: 'seven', 'x': {}}),
    ],
    ids=repr,
)
def test_scalars_become_python_scalars(value, wanted, tmp_path):
    found = to_plain(value)
    assert found == wanted
    assert type(found) is type(wanted)
    assert _through_a_file(found, tmp_path) == wanted


@pytest.mark.parametrize('dtype', [np.float32, np.float64, np.int64, np.uint8, bool])
def test_arrays_become_tensors(dtype, tmp_path):
    array = np.array([[0, 1], [2, 3]]).astype(dtype)
    found = _through_a_file(to_plain({'a': array[::-1]}), tmp_path)['a']
    assert isinstance(found, torch.Tensor)
    np.testing.assert_array_equal(found.numpy(), array[::-1], strict=True)


def test_a_tensor_is_a_copy_of_its_array():
    array = np.zeros(2)
    tensor = to_plain(array)
    array += 1
    assert tensor.tolist() == [0, 0]


def test_tensors_are_unchanged():
    weight = torch.nn.Parameter(torch.ones(2))
    assert to_plain([weight])[0] is weight


@pytest.mark.parametrize('logged', [[0.1, 1e-30, float('nan'), 3e8], [1, 2, 3], []])
def test_log_buffers_round_trip_through_a_file(logged, tmp_path):
    buffer = HistoryBuffer(logged, [1] * len(logged))
    plain = _through_a_file({'loss': to_plain(buffer)}, tmp_path)
    found = history_buffers(plain)['loss']
    assert isinstance(found, HistoryBuffer)
    for ours, wanted in zip(found.data, buffer.data, strict=True):
        np.testing.assert_array_equal(ours, wanted, strict=True)


def test_a_restored_log_buffer_can_be_updated(tmp_path):
    plain = _through_a_file({'loss': to_plain(HistoryBuffer([1, 2], [4, 4]))}, tmp_path)
    buffer = history_buffers(plain)['loss']
    buffer.update(6.5, 8)
    assert buffer.data[0].tolist() == [1, 2, 6.5]
    assert buffer.current() == 6.5
    assert buffer.mean() == pytest.approx((1 + 2 + 6.5) / 16)


def test_existing_log_buffers_are_kept():
    buffer = HistoryBuffer([1.0], [1])
    assert history_buffers({'loss': buffer})['loss'] is buffer


@pytest.mark.parametrize(
    ('value', 'place'),
    [
        (object(), 'checkpoint is a object'),
        ({'meta': {'hooks': [0, {1}]}}, "checkpoint['meta']['hooks'][1] is a set"),
        ([(torch.nn.Linear(1, 1),)], 'checkpoint[0][0] is a Linear'),
        ({'meta': np.array([object()])}, "checkpoint['meta'][0] is a object"),
        ({'f': len}, "checkpoint['f'] is a builtin_function_or_method"),
        ({'when': np.datetime64('2020-01-01')}, "checkpoint['when'] is a date"),
    ],
)
def test_anything_else_is_named_with_its_place(value, place):
    with pytest.raises(TypeError) as error:
        to_plain(value)
    assert str(error.value).startswith(place)
