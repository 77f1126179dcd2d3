"""Read a network's weights from an ONNX file, by the names of the exported modules."""

import importlib.util
import os.path as osp
from typing import Any

import torch
from torch import Tensor

from ..utils.errors import KeyedFileNotFoundError, KeyedValueError

Weights = dict[str, Tensor]
SUFFIX = '.onnx'
# Of torch.onnx.export: that of a folded constant, and those of module scopes in node names.
ANONYMOUS, SCOPE = '::', '/'
# The ends of the names of a patch embedding, and of the tokens and positions next to it.
STEMS = {
    'patch_embeddings.projection.weight': ('cls_token', 'position_embeddings'),
    'patch_embed.proj.weight': ('cls_token', 'pos_embed'),
}


def is_onnx(path: str) -> bool:
    """Return whether a file is an ONNX graph, by its name."""
    return str(path).lower().endswith(SUFFIX)


def require(*packages: str, key: str = 'SOURCE') -> None:
    """Check that packages of the extra ``onnx`` are installed.

    Raises:
        ValueError: If one is not; the message names it, and the extra.
    """
    for name in packages:
        if importlib.util.find_spec(name) is None:
            raise KeyedValueError(
                f'{{{key}}}: an ONNX file needs {name}: pip install mmvitkd[onnx]', key
            )


def load_graph(path: str, key: str = 'SOURCE') -> Any:
    """Read an ONNX file, with its weights.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or the package ``onnx`` is not installed.
    """
    require('onnx', key=key)
    import onnx

    path = osp.expanduser(path)
    if not osp.isfile(path):
        raise KeyedFileNotFoundError(f'{{{key}}}={path!r}: there is no such file.', key)
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's, onnx's and the file system's
        reason = f'{type(error).__name__}: {str(error).strip().splitlines()[0]}'
        raise KeyedValueError(
            f'{{{key}}}={path!r} ({osp.getsize(path):,} bytes) cannot be read as ONNX: it is '
            f'truncated, not ONNX, or lacks its external data ({reason}).',
            key,
        ) from None
    return model


def onnx_weights(model: Any) -> Weights:
    """Return the floating-point initializers of a graph that PyTorch exported, as a state dict.

    A linear layer's weight is an anonymous, transposed input of its ``MatMul`` or ``Gemm``; it
    is named after the bias that is added to it, or else after the node. A class token and
    position embeddings that were folded to anonymous constants are found by their place in
    the graph. Anonymous constants of other nodes are left out.

    Args:
        model: What :func:`load_graph` returns.

    Returns:
        The tensors, float32.
    """
    graph = model.graph
    tensors = _initializers(graph)
    weights = {name: value for name, value in tensors.items() if _is_named(name)}
    added = {
        name: node.input for node in graph.node if node.op_type == 'Add' for name in node.input
    }
    for node in graph.node:
        if node.op_type not in ('MatMul', 'Gemm') or _is_named(node.input[1]):
            continue
        matrix = tensors.get(node.input[1])
        if matrix is not None and matrix.dim() == 2:
            name = _layer_name(node, [*node.input[2:], *added.get(node.output[0], ())])
            is_transposed = any(a.name == 'transB' and a.i for a in node.attribute)
            weights.setdefault(f'{name}.weight', matrix if is_transposed else matrix.T)
    return _split_positions(graph, tensors) | _folded_stem(graph, tensors, weights) | weights


def _initializers(graph: Any) -> Weights:
    from onnx import numpy_helper

    tensors: Weights = {}
    for initializer in graph.initializer:
        array = numpy_helper.to_array(initializer)
        if array.dtype.kind == 'f' or array.dtype.name == 'bfloat16':
            tensors[initializer.name] = torch.tensor(array.astype('float32'))
    # The exporter stores equal tensors once, and names the others by these nodes.
    for node in graph.node:
        if node.op_type == 'Identity' and node.input[0] in tensors:
            tensors[node.output[0]] = tensors[node.input[0]].clone()
    return tensors


def _is_named(name: str) -> bool:
    """Return whether a name is that of a module's tensor, such as ``norm.bias``."""
    return '.' in name and ANONYMOUS not in name and not name.startswith(SCOPE)


def _layer_name(node: Any, added: list[str]) -> str:
    """Return the module that a linear layer's node is of: its bias's, or its node's scope."""
    biases = [name for name in added if _is_named(name) and name.endswith('.bias')]
    return biases[0].removesuffix('.bias') if biases else _scope(node)


def _scope(node: Any) -> str:
    """Return ``a.layer.0`` of a node ``/a/layer.0/MatMul``."""
    return '.'.join(node.name.strip(SCOPE).split(SCOPE)[:-1])


def _folded_stem(graph: Any, tensors: Weights, weights: Weights) -> Weights:
    """Return a class token and positions that ``torch.export`` folded, with what they share.

    The token is concatenated with the patches, and the positions are added to both.
    """
    stem = next((k for k in weights if k.endswith(tuple(STEMS))), None)
    anonymous = {
        name: value
        for name, value in tensors.items()
        if not _is_named(name) and value.dim() == 3
    }
    found: Weights = {}
    for node in graph.node if stem else ():
        first = anonymous.get(node.input[0]) if node.op_type == 'Concat' else None
        if first is not None and first.shape[1] == 1:
            users = [other for other in graph.node if node.output[0] in other.input]
            names = [name for user in users for name in user.input if user.op_type == 'Add']
            values = [first[:1], *(anonymous[name] for name in names if name in anonymous)]
            end = next(end for end in STEMS if str(stem).endswith(end))
            wanted = [str(stem).removesuffix(end) + name for name in STEMS[end]]
            found.update(zip(wanted, values, strict=False))
            break
    return found


def _split_positions(graph: Any, tensors: Weights) -> Weights:
    """Return the position embeddings of transformers' models that were split while exported."""
    parts: dict[str, Weights] = {}
    for node in graph.node:
        scope = _scope(node)
        for name in node.input if scope.endswith('embeddings') else ():
            if name in tensors and not _is_named(name) and tensors[name].dim() == 3:
                parts.setdefault(scope, {})[name] = tensors[name]
    found: Weights = {}
    for scope, named in parts.items():
        name = f'{scope}.position_embeddings'
        split = sorted(named.values(), key=lambda part: part.shape[1])
        if [len(split), split[0].shape[1]] == [2, 1]:
            found[name] = torch.cat(split, dim=1)
    return found
