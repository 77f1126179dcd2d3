"""Check weights that were read from an ONNX file: timm's tokens against onnxruntime's."""

from math import isqrt
from typing import Any, NamedTuple

import torch
from timm.layers import SwiGLUPacked
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from ..utils.errors import KeyedValueError
from .onnx_weights import Weights, require

TOLERANCE = 1e-4
SEED = 0
USUAL_HEAD_WIDTH = 64
TOKENS = ('cls_token', 'reg_token')


class Parity(NamedTuple):
    """How far timm's tokens are from those of a graph.

    Attributes:
        error: The largest absolute difference.
        img_size: The side of the image, in pixels.
        num_heads: The number of heads, which shapes do not tell: the first that fits.
    """

    error: float
    img_size: int
    num_heads: int


def check_tokens(model: Any, weights: Weights, norm: str, path: str) -> Parity:
    """Compare the tokens after the final norm, with timm and with onnxruntime, on one image.

    The image is noise, of the size that the position embeddings are for. Every number of heads
    that divides the width is tried.

    Args:
        model: The graph; its input size and its outputs are changed.
        weights: The weights of a ViT, with timm's names.
        norm: The name, in the graph, of the bias of the final norm.
        path: The file, for the message.

    Returns:
        The comparison with the number of heads that fits.

    Raises:
        ValueError: If onnxruntime is not installed or cannot run the graph, if timm has no such
            model, or if no number of heads gives tokens within 1e-4, absolute or relative.
    """
    require('onnxruntime')
    trunk = {k: v for k, v in weights.items() if not k.startswith(('head.', 'head_dist.'))}
    size = _img_size(trunk)
    channels = trunk['patch_embed.proj.weight'].shape[1]
    image = torch.randn(1, channels, size, size, generator=torch.Generator().manual_seed(SEED))
    wanted = _tokens_of_graph(model, norm, image, path)
    errors = {}
    for num_heads in _head_numbers(len(trunk['norm.bias'])):
        found = _tokens_of_timm(trunk, size, num_heads, image, path)
        errors[num_heads] = (found - wanted).abs().max().item()
        if torch.allclose(found, wanted, atol=TOLERANCE, rtol=TOLERANCE):
            return Parity(errors[num_heads], size, num_heads)
    best = min(errors, key=lambda heads: errors[heads])
    raise _unchecked(
        path,
        f"timm's tokens differ by {errors[best]:.2g} from onnxruntime's with {best} heads, the "
        f'best number; wanted {TOLERANCE:g}. Its layers compute something else, such as '
        'another activation',
    )


def _unchecked(path: str, reason: str) -> KeyedValueError:
    return KeyedValueError(f'{{SOURCE}}={path!r}: {reason}. Nothing was written.', 'SOURCE')


def _img_size(weights: Weights) -> int:
    """Return the side of the images that square position embeddings are for."""
    grid = isqrt(weights['pos_embed'].shape[1])
    return grid * int(weights['patch_embed.proj.weight'].shape[-1])


def _head_numbers(width: int) -> list[int]:
    """Return the numbers of heads of a width, usual ones first."""
    numbers = [number for number in range(1, width + 1) if width % number == 0]
    return sorted(numbers, key=lambda number: abs(width // number - USUAL_HEAD_WIDTH))


def _tokens_of_graph(model: Any, norm: str, image: Tensor, path: str) -> Tensor:
    """Run the graph as far as its final norm, on an image of any size."""
    import onnx
    import onnxruntime

    graph = model.graph
    # The last node that adds it: equal biases may have been stored once.
    output = next(node.output[0] for node in reversed(graph.node) if norm in node.input)
    for dim, name in zip(graph.input[0].type.tensor_type.shape.dim[2:], 'hw', strict=True):
        dim.dim_param = name
    del graph.output[:], graph.value_info[:]
    kind = onnx.TensorProto.FLOAT
    graph.output.append(onnx.helper.make_tensor_value_info(output, kind, None))
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=['CPUExecutionProvider']
        )
        tokens = session.run([output], {graph.input[0].name: image.numpy()})[0]
    except Exception as error:  # onnxruntime's own kinds, and protobuf's beyond 2 GB
        reason = str(error).strip().splitlines()[0]
        message = f'onnxruntime cannot run it on {tuple(image.shape)} ({reason})'
        raise _unchecked(path, message) from None
    return torch.from_numpy(tokens)


def _tokens_of_timm(
    weights: Weights, size: int, num_heads: int, image: Tensor, path: str
) -> Tensor:
    """Run timm's model of these weights, whose arguments are their shapes."""
    width = len(weights['norm.bias'])
    hidden, back = (weights[f'blocks.0.mlp.fc{i}.weight'].shape for i in (1, 2))
    extra = [weights[name].shape[1] if name in weights else 0 for name in TOKENS]
    patch = weights['patch_embed.proj.weight']
    arguments: dict[str, Any] = dict(
        img_size=size,
        patch_size=patch.shape[-1],
        in_chans=patch.shape[1],
        embed_dim=width,
        depth=1 + max(int(k.split('.')[1]) for k in weights if k.startswith('blocks.')),
        num_heads=num_heads,
        mlp_ratio=hidden[0] / width,
        class_token=extra[0] > 0,
        reg_tokens=extra[1],
        no_embed_class=isqrt(weights['pos_embed'].shape[1]) ** 2
        == weights['pos_embed'].shape[1],
        qkv_bias='blocks.0.attn.qkv.bias' in weights,
        pre_norm='norm_pre.weight' in weights,
        init_values=1.0 if 'blocks.0.ls1.gamma' in weights else None,
        num_classes=0,
    )
    if hidden[0] != back[1]:
        arguments['mlp_layer'] = SwiGLUPacked
    model = VisionTransformer(**arguments).eval()
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise _unchecked(path, f'timm has no such VisionTransformer ({reason})') from None
    with torch.no_grad():
        tokens: Tensor = model.forward_features(image)
    return tokens
