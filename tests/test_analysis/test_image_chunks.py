"""Few images at a time: all of them, in order, and few."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis import image_chunks as module
from mmvitkd.analysis.image_chunks import image_chunks

import pytest
import torch


@pytest.mark.parametrize(('values', 'sizes'), [(60, [2, 2, 1]), (89, [2, 2, 1]), (1, [1] * 5)])
def test_chunks_are_the_batch(monkeypatch, values, sizes):
    monkeypatch.setattr(module, 'CPU_VALUES', values)
    features = torch.randn(5, 3, 10)
    chunks = list(image_chunks(features))
    assert [len(chunk) for chunk in chunks] == sizes
    assert torch.cat(chunks).equal(features)


def test_chunks_hold_no_graph():
    features = torch.randn(5, 3, 10, requires_grad=True) * 2
    assert not any(chunk.requires_grad for chunk in image_chunks(features))


def test_an_empty_batch_has_none():
    assert not list(image_chunks(torch.zeros(0, 3, 10)))
