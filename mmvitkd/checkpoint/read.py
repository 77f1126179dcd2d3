"""Read checkpoint files without executing anything in them; errors name the file."""

import os.path as osp
import zipfile
from collections.abc import Mapping
from functools import cache
from logging import WARNING
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

from ..utils.errors import KeyedFileNotFoundError, KeyedValueError, listed
from .integrity import DamagedFileError, verify
from .onnx_weights import is_onnx
from .safe_load import UnsafeCheckpointError, safe_load
from .wrappers import EMA_KEYS, plain_names, weights_in

STUDENT_PREFIX = 'architecture.'
USUAL = ('', 'state_dict', 'model')  # where weights are, without a word about it

GIT_LFS = (
    'it is a git-lfs pointer, not a checkpoint: the file itself was not downloaded (git lfs '
    'pull)'
)
WEB_PAGE = 'it is a web page, not a checkpoint: open it in a browser to see what went wrong'
COMPRESSED = (
    'it holds compressed or overlapping records, which torch.save never writes and which may '
    'unpack to more than fits in memory'
)
TORCHSCRIPT = (
    "it is a TorchScript archive, as OpenAI's CLIP files are: it holds a program. Give a "
    'state dict, torch.save(torch.jit.load(FILE).state_dict(), ...) where you trust the '
    "file, or for CLIP take timm's, such as vit_base_patch16_clip_224.openai"
)
NUMPY = (
    "it is a NumPy archive, as Google's ViTs are: timm has those converted, such as "
    'timm:vit_base_patch16_224.augreg_in21k'
)
KERAS = 'it is an HDF5 file, as of Keras: give a file of PyTorch or safetensors'
ONNX = (
    'it is an ONNX graph: tools/model_converters/convert_checkpoint.py reads its weights and '
    'checks them'
)


def read_checkpoint(
    path: str, key: str = 'checkpoint', map_location: Any = 'cpu'
) -> dict[str, Any]:
    """Read a local checkpoint file (``torch.save`` or safetensors), and verify its checksums.

    Everything but tensors and plain data in a training checkpoint (log buffers, arrays, the
    namespace of its arguments) is replaced by a placeholder. ``meta['config']`` is left out:
    MMEngine's ``Runner.resume`` would execute it.

    Args:
        path: The file.
        key: The setting that names the file, for the message.
        map_location: Where the tensors go, as in ``torch.load``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, truncated, not a checkpoint, or could execute code.
    """
    path = osp.expanduser(path)
    if not osp.isfile(path):
        what = 'this is a folder; wanted a file' if osp.isdir(path) else 'there is no such file'
        raise KeyedFileNotFoundError(f'{{{key}}}={path!r}: {what}.', key)
    try:
        reason = _refusal_reason(path)
        content = None if reason else _load(path, map_location)
    except PermissionError:
        raise
    except UnsafeCheckpointError as error:
        reason = str(error)
    except DamagedFileError as error:
        reason = error.reason
    except Exception as error:
        reason = (
            'it is truncated, not a checkpoint, or not pickled as torch.save does '
            f'({_last_line(error)})'
        )
    if reason:
        size = f'{osp.getsize(path):,} bytes'
        raise KeyedValueError(f'{{{key}}}={path!r} ({size}) cannot be read: {reason}.', key)
    if not isinstance(content, dict):
        raise KeyedValueError(
            f'{{{key}}}={path!r} holds a {type(content).__name__}, wanted a dict of weights or '
            'a checkpoint.',
            key,
        )
    _drop_config(content, path)
    return content


def _load(path: str, map_location: Any) -> Any:
    if verify(path) is None:
        _log_unverified(path)
    if path.endswith('.safetensors'):
        from safetensors.torch import load_file

        is_device = isinstance(map_location, str | torch.device)
        return load_file(path, str(map_location) if is_device else 'cpu')
    return safe_load(path, map_location)


@cache
def _log_unverified(path: str) -> None:
    """Say, once for each file, that damage to it would not be noticed."""
    print_log(f'{path}: not verified, the file holds no checksums', 'current')


def _drop_config(checkpoint: dict[str, Any], path: str) -> None:
    meta = checkpoint.get('meta')
    if isinstance(meta, dict) and meta.pop('config', None) is not None:
        message = f"{path}: left out meta['config'], which MMEngine would execute on a resume"
        print_log(message, 'current', WARNING)


def _refusal_reason(path: str) -> str | None:
    """Return why a file cannot be loaded, if its first bytes or its table of contents show."""
    with open(path, 'rb') as file:
        start = file.read(64)
    if start[8:9] == b'{':
        return None  # safetensors: eight bytes of length before the header, of any value
    if is_onnx(path):
        return ONNX
    start = start.lstrip()
    if start.startswith(b'version https://git-lfs'):
        return GIT_LFS
    if start.startswith(b'\x89HDF'):
        return KERAS
    if start.startswith(b'<'):
        return WEB_PAGE
    if start.startswith(b'PK'):
        if not zipfile.is_zipfile(path):
            return 'it is truncated, such as a download that stopped'
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
        if any(record.filename.endswith('/constants.pkl') for record in records):
            return TORCHSCRIPT
        if records and all(record.filename.endswith('.npy') for record in records):
            return NUMPY
        if sum(record.file_size for record in records) > osp.getsize(path):
            return COMPRESSED
    return None


def _last_line(error: Exception) -> str:
    """Return the last line of an error, without PyTorch's advice to load unsafely."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith('Check the documentation')]
    return lines[-1].strip() if lines else type(error).__name__


def weights_of(checkpoint: Mapping[str, Any], path: str) -> dict[str, Tensor]:
    """Return the weights in a checkpoint, without the prefixes of wrapper modules.

    They are under 'state_dict', 'model' or another key of
    :func:`~mmvitkd.checkpoint.wrappers.weights_in`, or the file itself.

    Raises:
        ValueError: If there are none.
    """
    key, checkpoint = weights_in(checkpoint)
    if key not in USUAL:
        print_log(f'{path}: the weights under {key!r} are used', 'current')
    weights = plain_names(checkpoint)
    if not weights or not all(isinstance(v, Tensor) for v in weights.values()):
        raise ValueError(
            f'{path!r} holds no weights: wanted a dict of tensors, alone or under '
            f"'state_dict' or 'model'; found the keys {', '.join(map(str, checkpoint))}."
        )
    complex_ones = [key for key, value in weights.items() if value.is_complex()]
    if complex_ones:
        raise ValueError(
            f'{path!r}: {listed(complex_ones)}: found complex numbers, wanted real weights.'
        )
    return weights


def ema_weights_of(checkpoint: Mapping[str, Any], path: str) -> dict[str, Tensor]:
    """Return the exponential moving average of the weights in a training checkpoint.

    Raises:
        ValueError: If there is none.
    """
    for key in EMA_KEYS:
        if isinstance(checkpoint.get(key), Mapping):
            return weights_of(checkpoint[key], path)
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
