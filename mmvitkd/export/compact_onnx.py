"""Make an ONNX file smaller: in half precision, or in integers of 8 bits."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from .onnx_file import quiet

WEIGHTED = ['Conv', 'Gemm', 'MatMul']


def write_fp16(source: Path, file: Path) -> None:
    """Write the graph of an ONNX file in float16; its inputs and outputs stay float32.

    Args:
        source: A file of ``write_onnx``.
        file: Where to write.
    """
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), file)


def write_int8(source: Path, file: Path, images: Tensor) -> None:
    """Write an ONNX file whose layers with weights compute in 8 bits.

    Weights have a scale for each channel; the inputs of these layers have one each, from the
    smallest and largest value on the calibration images. Their outputs, softmax, LayerNorm,
    GELU, the residual sums and the products of attention stay float32: with integers there, a
    ViT loses much more and is hardly faster.

    Args:
        source: A file of ``write_onnx``.
        file: Where to write.
        images: Normalised images (B, 3, H, W) for the calibration.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, quiet():
        prepared = Path(folder) / 'prepared.onnx'
        quant_pre_process(str(source), str(prepared))
        quantize_static(
            str(prepared),
            str(file),
            _Calibration(images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=WEIGHTED,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_without_weights(onnx.load(prepared).graph),
            extra_options={'OpTypesToExcludeOutputQuantization': WEIGHTED},
        )


def _without_weights(graph: Any) -> list[str]:
    """Return the names of the products of two activations: those of attention."""
    weights = {weight.name for weight in graph.initializer}
    return [
        node.name
        for node in graph.node
        if node.op_type == 'MatMul' and weights.isdisjoint(node.input)
    ]


class _Calibration:
    """Hand out images one by one, as onnxruntime asks for them."""

    def __init__(self, images: Tensor) -> None:
        self._batches = iter(images.split(1))

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {'images': batch.numpy()}
