"""Load a ``torch.save`` file without executing anything in it.

A training checkpoint of MMEngine holds pickled log buffers, one of DeiT or timm an
``argparse.Namespace``. PyTorch's restricted unpickler refuses both. Here it gets a placeholder
for each name that is known to be harmless: nothing of that name is imported or called, and the
tensors are read as usual.
"""

import re
from collections import OrderedDict
from pickle import UnpicklingError
from typing import Any

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

# Namespaces, configs, log buffers, arrays and paths: what trainings save with weights.
SAFE_GLOBALS = re.compile(
    r"""
    (mmengine|mmcv|mmcls|mmpretrain|mmrazor|mmvitkd)(\.\w+)*\.[A-Z]\w*
    | (omegaconf|yacs|addict|easydict|lightning|lightning_fabric|pytorch_lightning)
      (\.\w+)*\.[A-Z]\w*
    | argparse\.Namespace | types\.SimpleNamespace | pathlib(\._local)?\.\w*Path
    | collections\.defaultdict | datetime\.\w+ | typing\.Any
    | torch\.torch_version\.TorchVersion
    | builtins\.(bool|bytes|complex|dict|float|frozenset|getattr|int|list|object|range|set
      |slice|str|tuple)
    | numpy\.(ndarray|dtype|dtypes\.\w+|random(\.\w+)+)
    | numpy\._?core\.(multiarray|numeric)\.(_reconstruct|scalar|_frombuffer)
    """,
    re.VERBOSE,
)
DICT = re.compile(r'.*(Dict|dict|CfgNode)')


class UnsafeCheckpointError(ValueError):
    """Raised for a file that cannot be read without executing code in it.

    Args:
        names: The names that it refers to, such as ``posix.system``.
    """

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            f'it holds more than tensors, numbers, strings and lists: {", ".join(names)}. '
            'That is not loaded, because it could execute code. If you trust the file, load '
            'it where you made it and save its weights alone: '
            'torch.save(model.state_dict(), FILE)'
        )


class Placeholder:
    """Stand in for an object that is not restored: accept any state and do nothing."""

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class PlaceholderDict:
    """Stand in for a dict subclass: create a plain dict, which the file then fills."""

    def __new__(cls, *args: Any) -> Any:
        """Create a plain dict."""
        return OrderedDict()


def safe_load(path: str, map_location: Any = 'cpu') -> Any:
    """Load a file; harmless unknown objects in it become :class:`Placeholder`.

    ``weights_only=True`` is given explicitly, so that the environment variable
    ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD`` does not change it.

    Args:
        path: A file written by ``torch.save``.
        map_location: Where its tensors go, as in ``torch.load``.

    Raises:
        UnsafeCheckpointError: If it refers to a name that is not known to be harmless, or
            cannot be read with placeholders.
        Exception: What PyTorch raises for a file that it cannot read.
    """
    left_out: list[str] = []
    # All names of a file are known at once, except in the format before PyTorch 1.6, where
    # each attempt fails at the next one.
    while True:
        stand_ins = [
            (PlaceholderDict if DICT.fullmatch(name) else Placeholder, name)
            for name in left_out
        ]
        try:
            with safe_globals(stand_ins):
                return torch.load(path, map_location=map_location, weights_only=True)
        except Exception as error:
            new = sorted(set(_unknown_names(path, error)).difference(left_out))
            if not new and not (left_out and isinstance(error, UnpicklingError)):
                raise
        refused = [name for name in new if not SAFE_GLOBALS.fullmatch(name)]
        if refused or not new:
            raise UnsafeCheckpointError(refused or left_out)
        left_out += new


def _unknown_names(path: str, error: Exception) -> list[str]:
    """Return the names in a file that PyTorch does not allow; in an old format, the first."""
    try:
        return list(get_unsafe_globals_in_checkpoint(path))
    except Exception:
        # Saved as before PyTorch 1.6, or by pickle itself: read as far as the error says.
        names = re.findall(r'GLOBAL (\S+)', str(error))[:1]
        return [name if '.' in name else f'builtins.{name}' for name in names]
