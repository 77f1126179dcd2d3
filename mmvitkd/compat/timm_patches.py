"""Patch timm: how it loads weights from a hub and from a folder."""

import importlib
import inspect
import types
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet


def patch_timm_unpickling() -> bool:
    """Let timm's functions load weights alone, unless a caller says ``weights_only=False``.

    For timm 1.0.15 and others whose default is False: weights on a hub, for some models without
    safetensors, are unpickled.
    """
    from timm.models import _helpers, _hub

    unsafe = []
    for function in [*vars(_helpers).values(), *vars(_hub).values()]:
        if isinstance(function, types.FunctionType):
            parameters = inspect.signature(function).parameters
            if 'weights_only' in parameters and parameters['weights_only'].default is False:
                unsafe.append(function)
    for function in unsafe:
        function.__defaults__ = tuple(
            True if name == 'weights_only' else parameter.default
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.default is not parameter.empty
        )
    return bool(unsafe)


def patch_timm_hub() -> bool:
    """Let timm use a ``huggingface_hub`` that lacks a name which only its uploads need.

    For timm < 1.0.22 on huggingface_hub 2, which it takes for not installed.
    """
    import huggingface_hub
    from timm.models import _hub

    name = 'repo_type_and_id_from_hf_id'
    if _hub.has_hf_hub() or hasattr(huggingface_hub, name):
        return False
    setattr(huggingface_hub, name, _no_upload)
    importlib.reload(_hub)  # into the same namespace: functions that were imported see it
    return bool(_hub.has_hf_hub())


def _no_upload(*args: Any, **kwargs: Any) -> None:
    """Raise an ImportError when a model is uploaded."""
    raise ImportError('This timm cannot upload with this huggingface_hub: update timm.')


def patch_timm_local_dir() -> bool:
    """Let timm read the safetensors of a ``local-dir:`` folder.

    For timm < 1.0.26, which gives them to ``torch.load``; no upstream issue is known to us.
    """
    from safetensors.torch import load_file
    from timm.models import _builder

    read: Callable[..., Any] = _builder.load_state_dict_from_path
    needed = SpecifierSet('<1.0.26').contains(metadata.version('timm'), prereleases=True)
    if not needed or read.__module__ == __name__:
        return False

    def read_safetensors_first(path: Path, *args: Any, **kwargs: Any) -> Any:
        file = Path(path) / 'model.safetensors'
        return load_file(file) if file.exists() else read(path, *args, **kwargs)

    _builder.load_state_dict_from_path = read_safetensors_first
    return True
