"""timm's tokens against a graph's: heads are found, and what differs is refused."""

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.converters.transformers_keys import transformers_to_timm
from mmvitkd.checkpoint.onnx_parity import check_tokens
from mmvitkd.checkpoint.onnx_weights import load_graph, onnx_weights

import pytest
import torch
from transformers_models import HEADS, SIZE, write_onnx

NORM = 'backbone.layernorm.bias'


@pytest.fixture(params=[16, 8], ids='exported for {}'.format)
def dino(request, tmp_path):
    """A graph, and its weights with timm's names."""
    write_onnx(tmp_path / 'dino.onnx', request.param)
    graph = load_graph(str(tmp_path / 'dino.onnx'))
    return graph, transformers_to_timm(onnx_weights(graph)).weights


def test_equal_tokens_tell_the_number_of_heads(dino):
    parity = check_tokens(*dino, NORM, 'x')
    assert parity.error < 1e-4
    assert (parity.img_size, parity.num_heads) == (SIZE, HEADS)


def test_wrong_weights_are_refused(dino):
    graph, weights = dino
    weights['blocks.1.mlp.fc2.bias'] += 0.01
    with pytest.raises(ValueError, match=r"SOURCE='x': timm's tokens differ by 0\.\d+"):
        check_tokens(graph, weights, NORM, 'x')


def test_a_tensor_that_no_vision_transformer_has(dino):
    graph, weights = dino
    with pytest.raises(ValueError, match=r'no such VisionTransformer .*rope'):
        check_tokens(graph, {**weights, 'rope': torch.zeros(1)}, NORM, 'x')
