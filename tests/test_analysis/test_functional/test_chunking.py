"""Chunks hold all images of a batch, in order, a few at a time."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional import chunking as module
from mmvitkd.analysis.functional.chunking import chunk_images

import pytest
import torch


@pytest.mark.parametrize(('values', 'sizes'), [(60, [2, 2, 1]), (89, [2, 2, 1]), (1, [1] * 5)])
def test_chunks_are_the_batch(monkeypatch, values, sizes):
    monkeypatch.setattr(module, 'CPU_VALUES', values)
    features = torch.randn(5, 3, 10)
    chunks = list(chunk_images(features))
    assert [len(chunk) for chunk in chunks] == sizes
    assert torch.cat(chunks).equal(features)


def test_chunks_hold_no_graph():
    features = torch.randn(5, 3, 10, requires_grad=True) * 2
    assert not any(chunk.requires_grad for chunk in chunk_images(features))


def test_an_empty_batch_has_none():
    assert not list(chunk_images(torch.zeros(0, 3, 10)))
