"""All codecs: their bytes, JSON, types, and what they refuse."""

import json
from math import prod

import mmvitkd  # noqa: F401
from mmvitkd.cache.codecs import (
    Floats,
    Int8Tokens,
    LowRankTokens,
    TopKLogits,
    codec_from_dict,
)
from mmvitkd.cache.row_layout import RowLayout

import pytest
import torch

IMAGENET = 1_281_167
CODECS = [
    TopKLogits(10, 3),
    Floats((2, 5)),
    Floats((2, 5), stored='float16', dtype='bfloat16'),
    Int8Tokens((4, 6), dtype='float16'),
    Int8Tokens((6,)),
    LowRankTokens((4, 6), rank=2),
]


@pytest.fixture(params=CODECS, ids=str)
def codec(request):
    return request.param


@pytest.mark.parametrize(
    ('codec', 'row_bytes', 'gigabytes'),
    [
        (TopKLogits(1000, 20), 84, 0.108),
        (Int8Tokens((196, 384)), 76_048, 97),
        (Int8Tokens((49, 384)), 19_012, 24),
        (LowRankTokens((196, 384), rank=61), 35_624, 45),
    ],
    ids=str,
)
def test_the_bytes_of_a_view_of_imagenet(codec, row_bytes, gigabytes):
    row = RowLayout({'x': codec}).row_bytes
    assert row == row_bytes
    with_checksums = (row + 4) * IMAGENET / 1e9
    assert with_checksums == pytest.approx(gigabytes, rel=0.05)


def test_the_fields_say_what_encode_returns(codec):
    parts = codec.encode(torch.randn(3, *codec.shape))
    assert list(parts) == [field.name for field in codec.fields]
    for field in codec.fields:
        part = parts[field.name]
        assert part.dtype == field.dtype and part.shape == (3, *field.shape)


@pytest.mark.parametrize('given', [torch.float32, torch.bfloat16, torch.float16])
def test_decode_returns_the_type_of_the_codec(codec, given):
    x = torch.randn(3, *codec.shape).to(given)
    decoded = codec.decode(codec.encode(x))
    assert decoded.dtype == getattr(torch, codec.dtype)
    assert decoded.shape == x.shape and decoded.is_contiguous()


def test_rows_are_encoded_on_their_own(codec):
    x = torch.randn(3, *codec.shape)
    whole, last = codec.encode(x), codec.encode(x[2:])
    for name, part in last.items():
        assert torch.equal(part, whole[name][2:])


def test_an_empty_batch(codec):
    decoded = codec.decode(codec.encode(torch.randn(0, *codec.shape)))
    assert decoded.shape == (0, *codec.shape)


def test_memory_layout_and_gradients_do_not_matter(codec):
    x = torch.randn(3, *codec.shape)
    strided = torch.empty(prod(codec.shape), 3).T.reshape(3, *codec.shape).copy_(x)
    wanted = codec.decode(codec.encode(x))
    found = codec.decode(codec.encode(strided.requires_grad_()))
    assert torch.equal(found, wanted) and not found.requires_grad


def test_autocast_does_not_matter(codec):
    x = torch.randn(3, *codec.shape)
    wanted = codec.decode(codec.encode(x))
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(codec.decode(codec.encode(x)), wanted)


@pytest.mark.parametrize('wrong', [float('nan'), float('inf'), -float('inf')])
def test_a_number_that_is_not_finite_is_refused(codec, wrong):
    x = torch.randn(3, *codec.shape)
    x.view(-1)[7] = wrong
    with pytest.raises(ValueError, match=f'1 of {x.numel()} '):
        codec.encode(x)


def test_another_shape_is_refused(codec):
    with pytest.raises(ValueError, match=r'found shape \(3, 7, 7\), wanted \(B, '):
        codec.encode(torch.randn(3, 7, 7))


def test_json(codec):
    described = codec.to_dict()
    assert json.loads(json.dumps(described)) == described
    assert codec_from_dict(described) == codec


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(type='Zip'), "type: found 'Zip', wanted one of .*TopKLogits"),
        (dict(type=None), 'type: found None'),
        (dict(level=9), 'TopKLogits: unknown level; known: num_classes'),
        (dict(top_k=10), 'TopKLogits: top_k: found 10, wanted 1 to 9 '),
        (dict(top_k='3'), 'TopKLogits: '),
    ],
)
def test_json_that_describes_no_codec(change, message):
    with pytest.raises(ValueError, match=message):
        codec_from_dict({**TopKLogits(10, 3).to_dict(), **change})


def test_json_without_a_key():
    with pytest.raises(ValueError, match='TopKLogits: top_k missing'):
        codec_from_dict(dict(type='TopKLogits', num_classes=10))


def test_a_wrong_type_or_shape_is_refused_by_its_name():
    with pytest.raises(ValueError, match="dtype: found 'int8', wanted one of float32"):
        Floats((3,), dtype='int8')
    with pytest.raises(ValueError, match=r'shape: found \(3, 0\)'):
        Int8Tokens((3, 0))
