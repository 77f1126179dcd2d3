"""Rows of bytes: next to a structured type of NumPy."""

import mmvitkd  # noqa: F401
from mmvitkd.cache.codecs import Floats, Int8Tokens, TopKLogits
from mmvitkd.cache.row_layout import RowLayout

import numpy as np
import pytest
import torch

CODECS = dict(tokens=Int8Tokens((3, 5)), logits=TopKLogits(10, 3), norm=Floats((2, 2)))
# Fields of 4 bytes first, then of 2, then of 1.
ROW = np.dtype(
    [
        ('scale', '<f4', 3),
        ('lse', '<f4'),
        ('norm', '<f4', (2, 2)),
        ('indices', '<i2', 3),
        ('logs', '<f2', 3),
        ('tokens', 'i1', (3, 5)),
        ('padding', 'u1'),
    ]
)


@pytest.fixture
def tensors():
    return {name: torch.randn(4, *codec.shape) for name, codec in CODECS.items()}


def test_the_largest_items_come_first(tensors):
    layout = RowLayout(CODECS)
    rows = layout.encode(tensors).numpy().view(ROW)[:, 0]
    logits = CODECS['logits'].encode(tensors['logits'])
    tokens = CODECS['tokens'].encode(tensors['tokens'])
    assert layout.row_bytes == ROW.itemsize == 60
    assert np.array_equal(rows['norm'], tensors['norm'])
    assert np.array_equal(rows['lse'], logits['lse'])
    assert np.array_equal(rows['indices'], logits['indices'])
    assert np.array_equal(rows['logs'], logits['values'])
    assert np.array_equal(rows['scale'], tokens['scale'])
    assert np.array_equal(rows['tokens'], tokens['values'])
    assert not rows['padding'].any()


def test_unpacking_gives_what_the_codecs_decode(tensors):
    layout = RowLayout(CODECS)
    buffer = layout.encode(tensors)
    assert buffer.dtype == torch.uint8 and buffer.shape == (4, 60)
    unpacked = layout.unpack(buffer)
    assert unpacked.keys() == CODECS.keys()
    for name, codec in CODECS.items():
        assert torch.equal(unpacked[name], codec.decode(codec.encode(tensors[name])))


def test_some_rows_of_a_buffer(tensors):
    layout = RowLayout(CODECS)
    buffer = layout.encode(tensors)
    assert torch.equal(layout.unpack(buffer[1:3])['norm'], tensors['norm'][1:3])
    assert torch.equal(layout.unpack(buffer[::2])['norm'], tensors['norm'][::2])


def test_unpacked_tensors_do_not_change_with_the_buffer(tensors):
    layout = RowLayout(CODECS)
    buffer = layout.encode(tensors)
    unpacked = layout.unpack(buffer)
    buffer.zero_()
    assert torch.equal(unpacked['norm'], tensors['norm'])


def test_only_the_named_tensors_are_decoded(tensors):
    layout = RowLayout(CODECS)
    unpacked = layout.unpack(layout.encode(tensors), ['norm'])
    assert unpacked.keys() == {'norm'}
    assert torch.equal(unpacked['norm'], tensors['norm'])


def test_no_rows():
    layout = RowLayout(CODECS)
    empty = layout.encode({n: torch.randn(0, *c.shape) for n, c in CODECS.items()})
    assert empty.shape == (0, 60)
    assert layout.unpack(empty)['tokens'].shape == (0, 3, 5)


def test_a_missing_or_unknown_tensor_is_named(tensors):
    layout = RowLayout(CODECS)
    tensors['extra'] = tensors.pop('norm')
    with pytest.raises(ValueError, match='differ in extra, norm'):
        layout.encode(tensors)


def test_a_tensor_that_cannot_be_encoded_is_named(tensors):
    tensors['tokens'][0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match='tokens: 1 of 60 numbers'):
        RowLayout(CODECS).encode(tensors)


def test_a_buffer_of_other_rows_is_refused():
    with pytest.raises(ValueError, match=r'found \(4, 64\), wanted \(B, 60\)'):
        RowLayout(CODECS).unpack(torch.zeros(4, 64, dtype=torch.uint8))
