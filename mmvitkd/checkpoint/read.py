"""Read checkpoint files without executing anything in them; errors name the file."""

import os.path as osp
import zipfile
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..utils.errors import KeyedFileNotFoundError, KeyedValueError
from .safe_load import UnsafeCheckpointError, safe_load

STUDENT_PREFIX = 'architecture.'
WEIGHT_KEYS = ('state_dict', 'model')
# Ours, DeiT's and timm's.
EMA_KEYS = ('ema_state_dict', 'model_ema', 'state_dict_ema', 'ema')

GIT_LFS = (
    'it is a git-lfs pointer, not a checkpoint: the file itself was not downloaded (git lfs '
    'pull)'
)
WEB_PAGE = 'it is a web page, not a checkpoint: open it in a browser to see what went wrong'
TORCHSCRIPT = (
    "it is a TorchScript archive, as OpenAI's CLIP files are: it holds a program. Give a "
    'state dict, torch.save(torch.jit.load(FILE).state_dict(), ...) where you trust the '
    "file, or for CLIP take timm's, such as vit_base_patch16_clip_224.openai"
)


def read_checkpoint(path: str, key: str = 'checkpoint') -> dict[str, Any]:
    """Read a local checkpoint file (``torch.save`` or safetensors) to the CPU.

    Everything but tensors and plain data in a training checkpoint (log buffers, arrays, the
    namespace of its arguments) is replaced by a placeholder.

    Args:
        path: The file.
        key: The setting that names the file, for the message.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is truncated, not a checkpoint, or could execute code.
    """
    path = osp.expanduser(path)
    if not osp.isfile(path):
        raise KeyedFileNotFoundError(f'{{{key}}}={path!r}: there is no such file.', key)
    try:
        reason = _refusal_reason(path)
        content = None if reason else _load(path)
    except PermissionError:
        raise
    except UnsafeCheckpointError as error:
        reason = str(error)
    except Exception as error:
        reason = (
            'it is truncated, not a checkpoint, or not pickled as torch.save does '
            f'({_last_line(error)})'
        )
    if reason:
        size = f'{osp.getsize(path):,} bytes'
        raise KeyedValueError(f'{{{key}}}={path!r} ({size}) cannot be read: {reason}.', key)
    if not isinstance(content, Mapping):
        raise KeyedValueError(
            f'{{{key}}}={path!r} holds a {type(content).__name__}, wanted a dict of weights or '
            'a checkpoint.',
            key,
        )
    return dict(content)


def _load(path: str) -> Any:
    if path.endswith('.safetensors'):
        from safetensors.torch import load_file

        return load_file(path)
    return safe_load(path)


def _refusal_reason(path: str) -> str | None:
    """Return why a file cannot be loaded, if its first bytes or its table of contents show."""
    with open(path, 'rb') as file:
        start = file.read(64)
    if start[8:9] == b'{':
        return None  # safetensors: eight bytes of length before the header, of any value
    start = start.lstrip()
    if start.startswith(b'version https://git-lfs'):
        return GIT_LFS
    if start.startswith(b'<'):
        return WEB_PAGE
    if start.startswith(b'PK'):
        if not zipfile.is_zipfile(path):
            return 'it is truncated, such as a download that stopped'
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith('/constants.pkl') for name in archive.namelist()):
                return TORCHSCRIPT
    return None


def _last_line(error: Exception) -> str:
    """Return the last line of an error, without PyTorch's advice to load unsafely."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith('Check the documentation')]
    return lines[-1].strip() if lines else type(error).__name__


def weights_of(checkpoint: Mapping[str, Any], path: str) -> dict[str, Tensor]:
    """Return the weights in a checkpoint: under 'state_dict' or 'model', or the file itself.

    Raises:
        ValueError: If there are none.
    """
    for key in WEIGHT_KEYS:
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


def ema_weights_of(checkpoint: Mapping[str, Any], path: str) -> dict[str, Tensor]:
    """Return the exponential moving average of the weights in a training checkpoint.

    Raises:
        ValueError: If there is none.
    """
    for key in EMA_KEYS:
        if isinstance(checkpoint.get(key), Mapping):
            averaged = {k: v for k, v in checkpoint[key].items() if k != 'steps'}
            return weights_of(averaged, path)
    raise KeyedValueError(
        f'{{ema}}: {path!r} holds no EMA weights (key {" or ".join(EMA_KEYS)}); found the keys '
        f'{", ".join(map(str, checkpoint))}.',
        'ema',
    )


def student_weights(path: str, ema: bool = False, key: str = 'checkpoint') -> dict[str, Tensor]:
    """Read the student's weights from a checkpoint of a distillation, or of the student alone.

    Args:
        path: The checkpoint file.
        ema: Whether to take the exponential moving average instead of the raw weights.
        key: The setting that names the file, for the message.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or has no EMA weights though they are asked for.
    """
    return student_of(read_checkpoint(path, key), path, ema)


def student_of(
    checkpoint: Mapping[str, Any], path: str, ema: bool = False
) -> dict[str, Tensor]:
    """Return the student's weights in a checkpoint; see :func:`student_weights`."""
    weights = ema_weights_of(checkpoint, path) if ema else weights_of(checkpoint, path)
    student = {
        k.removeprefix(STUDENT_PREFIX): v
        for k, v in weights.items()
        if k.startswith(STUDENT_PREFIX)
    }
    return student or weights
