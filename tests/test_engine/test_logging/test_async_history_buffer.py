"""An asynchronous buffer reads as MMEngine's, and is copied as one."""

import copy
import pickle

import mmvitkd  # noqa: F401
from mmvitkd.engine.logging import async_history_buffer
from mmvitkd.engine.logging.async_history_buffer import AsyncHistoryBuffer, DeviceScalars

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer


def pair(history=(), max_length=1_000_000):
    """MMEngine's buffer, and ours with the same history."""
    start = (list(history), [1] * len(history))
    theirs = HistoryBuffer(*start, max_length=max_length)
    return theirs, AsyncHistoryBuffer(
        HistoryBuffer(*start, max_length=max_length), DeviceScalars()
    )


def assert_same(ours, theirs):
    for mine, wanted in zip(ours.data, theirs.data, strict=True):
        np.testing.assert_array_equal(mine, wanted)
        assert mine.dtype == wanted.dtype
    assert ours.max_length == theirs.max_length


VALUES = {
    'floats': [0.1, float('nan'), -3.5],
    'ints': [1, 2, -7],
    'ints and floats': [1, 2.5, 3],
    'bools': [True, False, True],
    'float32': [torch.tensor(0.1), torch.tensor([1 / 3])],
    'bfloat16': [torch.tensor(0.1).bfloat16(), torch.tensor(1e30).bfloat16()],
    'int64': [torch.tensor(3), torch.tensor(2**62 + 1)],
    'all kinds': [1.5, torch.tensor(0.1), torch.tensor(0.1).half(), 4, torch.tensor(7)],
}


@pytest.mark.parametrize('values', VALUES.values(), ids=VALUES)
@pytest.mark.parametrize('history', [(), (0.5, 2.5), (3,)], ids=['new', 'floats', 'ints'])
def test_values_are_those_of_mmengine(values, history):
    theirs, ours = pair(history)
    for value in values:
        if isinstance(value, torch.Tensor):
            theirs.update(value.item())
            ours.defer_tensor(value)
        else:
            theirs.update(value)
            ours.update(value)
    assert_same(ours, theirs)


READS = {
    'data': lambda b: b.data[0].tolist(),
    'current': lambda b: b.current(),
    'mean': lambda b: b.mean(),
    'mean of 2': lambda b: b.mean(2),
    'max': lambda b: b.max(3),
    'min': lambda b: b.min(2),
    'by name': lambda b: b.statistics('mean', 2),
    'registered': lambda b: b.statistics('_log_sum'),
}


@pytest.mark.parametrize('read', READS.values(), ids=READS)
@pytest.mark.parametrize('last', [0.3, 7, torch.tensor(0.3)], ids=['float', 'int', 'tensor'])
def test_every_reader_sees_the_newest_value(read, last, monkeypatch):
    monkeypatch.setitem(
        HistoryBuffer._statistics_methods, '_log_sum', lambda b: b._log_history.sum()
    )
    theirs, ours = pair([0.5, 1.5])
    for buffer in (theirs, ours):
        buffer.update(2.25, 3)
    theirs.update(last.item() if isinstance(last, torch.Tensor) else last)
    ours.defer_tensor(last) if isinstance(last, torch.Tensor) else ours.update(last)
    assert read(ours) == read(theirs)
    assert type(read(ours)) is type(read(theirs))


@pytest.mark.parametrize('reading', [False, True])
def test_the_oldest_values_are_dropped(reading):
    theirs, ours = pair([9.0, 8.0], max_length=4)
    for step in range(11):
        theirs.update(step / 2)
        ours.defer_tensor(torch.tensor(step / 2))
        if reading and step % 3 == 0:
            assert_same(ours, theirs)
    assert_same(ours, theirs)


@pytest.mark.parametrize('args', [('1',), (torch.tensor(1.0),), (1.0, '1')], ids=str)
def test_only_numbers_are_accepted(args):
    for buffer in pair([1.0]):
        with pytest.raises(TypeError, match='log_val'):
            buffer.update(*args)
        assert len(buffer.data[0]) == 1


@pytest.mark.parametrize(
    'copied', [copy.copy, copy.deepcopy, lambda b: pickle.loads(pickle.dumps(b))]
)
def test_a_copy_is_mmengines(copied):
    theirs, ours = pair([0.5], max_length=7)
    theirs.update(torch.tensor(0.1).item())
    ours.defer_tensor(torch.tensor(0.1))
    found = copied(ours)
    assert type(found) is HistoryBuffer
    assert_same(found, theirs)
    found.update(3.0)
    assert len(ours.data[0]) == 2


def test_a_value_is_copied_before_it_is_overwritten():
    _, ours = pair()
    value = torch.tensor(1.0)
    ours.defer_tensor(value)
    value.fill_(5.0)
    assert ours.current() == 1.0


def test_no_graph_is_kept():
    values = dict(loss=2 * torch.ones((), requires_grad=True))
    ((row, _),) = DeviceScalars().add(values).values()
    assert not row.tensor.requires_grad


@pytest.fixture
def reads(monkeypatch):
    """The shapes of the tensors that are read from the device."""
    found, tolist = [], torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, 'tolist', lambda t: found.append(t.shape) or tolist(t))
    return found


def test_values_of_many_steps_and_names_are_read_together(reads):
    scalars = DeviceScalars()
    buffers = {name: AsyncHistoryBuffer(HistoryBuffer(), scalars) for name in 'abc'}
    for step in range(5):
        values = {name: torch.tensor(step + i / 4) for i, name in enumerate('abc')}
        for name, scalar in scalars.add(values).items():
            buffers[name].defer(scalar)
    assert reads == []
    for i, buffer in enumerate(buffers.values()):
        assert buffer.data[0].tolist() == [step + i / 4 for step in range(5)]
    assert reads == [(5, 3)]


def test_unread_values_do_not_pile_up(reads, monkeypatch):
    monkeypatch.setattr(async_history_buffer, 'MAX_PENDING', 10)
    _, ours = pair()
    for step in range(25):
        ours.defer_tensor(torch.tensor(float(step)))
    assert reads == [(10, 1), (10, 1)]
    assert ours.data[0].tolist() == list(range(25))


def test_the_newest_number_is_returned_without_reading_the_rest(reads):
    """MMEngine's timer asks for it at every step."""
    _, ours = pair([1.0])
    ours.defer_tensor(torch.tensor(2.0))
    for step in range(3):
        ours.update(step / 2)
        assert ours.current() == step / 2
    assert reads == []
