"""Reading checkpoint files: nothing in them is executed, and errors name the file."""

import os.path as osp
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

STUDENT_PREFIX = 'architecture.'


def read_checkpoint(path: str, key: str = 'checkpoint') -> dict[str, Any]:
    """Read a local checkpoint file (``torch.save`` or safetensors) to the CPU.

    Args:
        path: The file.
        key: What the user gave it as, for the message.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is truncated, no checkpoint, or holds more than plain data.
    """
    path = osp.expanduser(path)
    if not osp.isfile(path):
        raise FileNotFoundError(f'{key}={path!r}: there is no such file.')
    try:
        if path.endswith('.safetensors'):
            from safetensors.torch import load_file

            return load_file(path)
        content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:
        raise ValueError(
            f'{key}={path!r} ({osp.getsize(path):,} bytes) cannot be read: it is truncated, '
            'not a checkpoint, or holds more than tensors, numbers, strings and lists, which '
            f'is not loaded because it could execute code. {_first_line(error)}'
        ) from None
    if not isinstance(content, Mapping):
        raise ValueError(
            f'{key}={path!r} holds a {type(content).__name__}, wanted a dict of weights or a '
            'checkpoint.'
        )
    return dict(content)


def _first_line(error: Exception) -> str:
    """What torch says went wrong, without its advice to execute the file."""
    return f'({str(error).splitlines()[0]})' if str(error) else ''


def weights_of(checkpoint: Mapping[str, Any], path: str) -> dict[str, Tensor]:
    """The weights in a checkpoint: under 'state_dict' or 'model', or the file itself.

    Raises:
        ValueError: If there are none.
    """
    for key in ('state_dict', 'model'):
        if isinstance(checkpoint.get(key), Mapping):
            checkpoint = checkpoint[key]
            break
    weights = {str(k).removeprefix('module.'): v for k, v in checkpoint.items()}
    if not weights or not all(isinstance(v, Tensor) for v in weights.values()):
        raise ValueError(
            f'{path!r} holds no weights: wanted a dict of tensors, alone or under '
            f"'state_dict' or 'model'; found the keys {', '.join(map(str, checkpoint))}."
        )
    return weights


def student_weights(path: str, ema: bool = False) -> dict[str, Tensor]:
    """The student's weights in a checkpoint of a distillation, or of the student alone.

    Args:
        path: The checkpoint file.
        ema: Whether to take the exponential moving average instead of the raw weights.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or has no EMA weights though they are asked for.
    """
    checkpoint = read_checkpoint(path)
    if ema:
        if 'ema_state_dict' not in checkpoint:
            raise ValueError(f'--ema: {path!r} holds no EMA weights (key ema_state_dict).')
        averaged = checkpoint['ema_state_dict'].items()
        return {k.removeprefix('module.'): v for k, v in averaged if k != 'steps'}
    weights = weights_of(checkpoint, path)
    student = {
        k.removeprefix(STUDENT_PREFIX): v
        for k, v in weights.items()
        if k.startswith(STUDENT_PREFIX)
    }
    return student or weights
