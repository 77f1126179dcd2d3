"""Weights out of an ONNX file: equal to the exported module's, by its names."""

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.onnx_weights import load_graph, onnx_weights

import pytest
import torch
from torch import nn
from transformers_models import export_onnx, write_onnx


@pytest.mark.parametrize(('size', 'dynamo'), [(16, False), (8, False), (16, True)])
def test_a_dinov2_with_a_head(size, dynamo, tmp_path):
    model = write_onnx(tmp_path / 'dino.onnx', size, dynamo)
    weights = onnx_weights(load_graph(str(tmp_path / 'dino.onnx')))
    wanted = model.state_dict()
    del wanted['backbone.embeddings.mask_token']  # the graph does not use it
    assert weights.keys() == wanted.keys()
    assert all(torch.equal(weights[key], wanted[key]) for key in wanted)


def test_layers_without_a_bias_are_named_by_their_nodes(tmp_path):
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 2))
    file = str(tmp_path / 'two.onnx')
    export_onnx(model, torch.zeros(1, 5, 3), file, dynamo=False)
    weights = onnx_weights(load_graph(file))
    assert weights.keys() == model.state_dict().keys()
    assert torch.equal(weights['0.weight'], model[0].weight)


def test_equal_tensors_that_were_stored_once(tmp_path):
    model = nn.Sequential(nn.LayerNorm(4), nn.LayerNorm(4))
    file = str(tmp_path / 'norms.onnx')
    export_onnx(model, torch.zeros(1, 5, 4), file, dynamo=False)
    assert onnx_weights(load_graph(file)).keys() == model.state_dict().keys()


@pytest.mark.parametrize('content', [b'', b'no graph', b'\x08\x07half'])
def test_what_is_no_onnx_is_refused_by_name(content, tmp_path):
    (tmp_path / 'x.onnx').write_bytes(content)
    with pytest.raises(ValueError, match=rf'SOURCE=.*x\.onnx.* \({len(content)} bytes\)'):
        load_graph(str(tmp_path / 'x.onnx'))


def test_a_missing_file():
    with pytest.raises(FileNotFoundError, match=r'SOURCE=.*nowhere\.onnx'):
        load_graph('nowhere.onnx')
