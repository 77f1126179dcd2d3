"""Read and write checkpoints: of our trainings, and of BasicSR's, which were released."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmvitkd.checkpoint.integrity import seal
from mmvitkd.checkpoint.load_strict import load_strict
from mmvitkd.checkpoint.read import read_checkpoint, student_of
from mmvitkd.utils.atomic_file import atomic_file
from mmvitkd.utils.errors import KeyedValueError, listed

import torch
from torch import Tensor

from .network import MDBN, scale_of

BASICSR = dict(raw='params', ema='params_ema')
OURS = dict(raw='state_dict', ema='ema_state_dict')
PREFIX = 'network.'  # of the network's names in SuperResolver


def load_network(path: str, ema: bool = False, scale: int | None = None) -> MDBN:
    """Build the network of a checkpoint and load its weights, strictly.

    Args:
        path: A checkpoint of our training or of BasicSR's layout; nothing in it is executed.
        ema: Whether to take the exponential moving average. The released test takes the raw
            weights.
        scale: The scale that it must have; None for any.

    Returns:
        The network, in eval mode; its scale and its sizes are those of the weights.

    Raises:
        FileNotFoundError: If there is no such file.
        KeyedValueError: If it cannot be read, lacks these weights, or is of another network or
            scale.
    """
    weights = weights_of(read_checkpoint(path), path, ema)
    network = network_of(weights, path)
    if scale not in (None, network.scale):
        raise KeyedValueError(
            f'{{checkpoint}}={path!r} is for scale {network.scale}; wanted scale {scale}.',
            'checkpoint',
        )
    return network


def weights_of(checkpoint: Mapping[str, Any], path: str, ema: bool) -> dict[str, Tensor]:
    """Return the weights of the network in a checkpoint of either layout.

    Raises:
        KeyedValueError: If there are none of this kind.
    """
    if not checkpoint.keys() & set(BASICSR.values()):
        try:
            weights = student_of(checkpoint, path, ema)
        except KeyedValueError:
            raise
        except ValueError as error:  # which does not know the setting
            raise KeyedValueError(f'{{checkpoint}}: {error}', 'checkpoint') from None
        return {name.removeprefix(PREFIX): value for name, value in weights.items()}
    key = BASICSR['ema' if ema else 'raw']
    if key not in checkpoint:
        raise KeyedValueError(
            f'{{checkpoint}}={path!r}: found {", ".join(map(str, checkpoint))}, no {key!r}; '
            f'wanted {{ema}}={not ema}.',
            'checkpoint',
            'ema',
        )
    weights = checkpoint[key]
    if not isinstance(weights, Mapping) or not all(map(_is_named_tensor, weights.items())):
        raise KeyedValueError(
            f'{{checkpoint}}={path!r} holds no weights under {key!r}: wanted a dict of tensors '
            'by name.',
            'checkpoint',
        )
    return dict(weights)


def _is_named_tensor(item: tuple[Any, Any]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def network_of(weights: Mapping[str, Tensor], path: str) -> MDBN:
    """Build the network that a state dict is of, and load it.

    Raises:
        KeyedValueError: If it is that of another network.
    """
    scale, first = scale_of(weights), weights.get('conv_first.weight')
    if scale is None or first is None or first.ndim != 4:
        raise KeyedValueError(
            f'{{checkpoint}}={path!r} is no MDBN: wanted conv_first.weight, upsample.0.weight '
            f'and so on; found {listed(list(weights))}.',
            'checkpoint',
        )
    names = {name.rpartition('.')[0].rpartition('.')[2] for name in weights}
    one_branch = 'deep' if 'dconv' not in names else 'shallow'
    network = MDBN(
        scale,
        channels=len(first),
        num_blocks=len({n.split('.')[1] for n in weights if n.startswith('body.')}),
        branches='both' if {'dconv', 'uconv1'} <= names else one_branch,
    )
    load_strict(network, weights, 'checkpoint', path)
    network.eval()
    return network


def convert(path: str, out: Path) -> str:
    """Write a checkpoint of BasicSR's layout as one of ours, or the other way round.

    Both hold the raw weights and, where the file has one, their exponential moving average.
    Files of equal weights are equal.

    Args:
        path: The checkpoint; its optimizer and the like are left out.
        out: The file to write or to replace.

    Returns:
        The layout of the new file: 'BasicSR' or 'mmvitkd'.

    Raises:
        FileNotFoundError: If there is no such file.
        KeyedValueError: If it cannot be read, or is no checkpoint of an MDBN.
    """
    checkpoint = read_checkpoint(path)
    from_basicsr = bool(checkpoint.keys() & set(BASICSR.values()))
    there, here, prefix = (BASICSR, OURS, PREFIX) if from_basicsr else (OURS, BASICSR, '')
    content = {}
    for kind, key in there.items():
        if key in checkpoint:
            weights = network_of(weights_of(checkpoint, path, kind == 'ema'), path).state_dict()
            content[here[kind]] = {f'{prefix}{name}': value for name, value in weights.items()}
    if not content:
        raise KeyedValueError(
            f'{{checkpoint}}={path!r}: found {", ".join(map(str, checkpoint))}; wanted one of '
            f'{", ".join((*BASICSR.values(), *OURS.values()))}.',
            'checkpoint',
        )
    with atomic_file(out) as temporary:
        with open(temporary, 'wb') as file:  # a path would be in the content
            torch.save(content, file)
        seal(temporary)
    return 'mmvitkd' if from_basicsr else 'BasicSR'
