"""Compact ONNX files: what is in 8 bits, what is not, and what a user reads from them."""

import mmvitkd  # noqa: F401
from mmvitkd.export.compact_onnx import write_fp16, write_int8
from mmvitkd.export.onnx_file import run_onnx, write_onnx

import numpy as np
import pytest
import torch

onnx = pytest.importorskip('onnx')
ort = pytest.importorskip('onnxruntime')


@pytest.fixture(params=['plain', 'lift', 'widelast'])
def student(request, read):
    return read(request.param)


@pytest.fixture
def source(student, tmp_path):
    write_onnx(student, tmp_path / 'student.onnx')
    return tmp_path / 'student.onnx'


def about(file):
    session = ort.InferenceSession(str(file), providers=['CPUExecutionProvider'])
    return session.get_modelmeta().custom_metadata_map


def test_compact_files(student, source, tmp_path):
    images = student.images(24)
    with torch.no_grad():
        wanted = student.model(images)

    half = tmp_path / 'half.onnx'
    write_fp16(source, half)
    types = {weight.data_type for weight in onnx.load(half).graph.initializer}
    assert onnx.TensorProto.FLOAT not in types and onnx.TensorProto.FLOAT16 in types
    torch.testing.assert_close(run_onnx(half)(images)[0], wanted, rtol=0.02, atol=0.02)

    eight = tmp_path / 'eight.onnx'
    write_int8(source, eight, images)
    graph = onnx.load(eight).graph
    weights = {weight.name: weight for weight in graph.initializer}
    sources = {name: node for node in graph.node for name in node.output}
    layers = attention = 0
    for node in graph.node:
        if node.op_type not in ('MatMul', 'Gemm', 'Conv'):
            continue
        inputs = [sources.get(name) for name in node.input[:2]]
        kinds = [node and node.op_type for node in inputs]
        if kinds == ['DequantizeLinear'] * 2:
            layers += 1
            stored = weights[inputs[1].input[0]]
            assert stored.data_type == onnx.TensorProto.INT8
            assert len(onnx.numpy_helper.to_array(weights[inputs[1].input[1]])) > 1  # channels
        else:
            attention += 1
            assert 'DequantizeLinear' not in kinds
        following = [each.op_type for each in graph.node if node.output[0] in each.input]
        assert 'QuantizeLinear' not in following  # outputs stay float32
    blocks = 3
    assert attention == 2 * blocks
    assert layers >= 4 * blocks + 2  # with patches and head

    error = (run_onnx(eight)(images)[0] - wanted).square().mean()
    assert 0 < error < 0.1 * (wanted - wanted.mean(0)).square().mean()
    for file in (half, eight):
        assert about(source).items() <= about(file).items()
        for batch_size in (1, 5):
            assert len(run_onnx(file)(student.images(batch_size))[0]) == batch_size


def test_onnxruntimes_own_quantization_takes_our_files(source, tmp_path):
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(source, tmp_path / 'dynamic.onnx')
    images = np.zeros((2, 3, 32, 32), np.float32)
    session = ort.InferenceSession(str(tmp_path / 'dynamic.onnx'))
    assert session.run(None, {'images': images})[0].shape == (2, 5)
