"""Patch MMRazor and what it uses of mmcv."""

import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from packaging.specifiers import SpecifierSet

MMRAZOR_RECURSION_LIMIT = 2**20

PYTHON_RECURSION_LIMIT = 1000


def patch_mmrazor_quantization() -> bool:
    """Replace MMRazor's quantisation, which uses names that ``torch.ao`` no longer has.

    For mmrazor 1.0.0 on torch >= 2.0; MMRazor issue 632. Distillation does not use it.
    """
    name = 'mmrazor.structures.quantization'
    if name in sys.modules:
        return False
    try:
        importlib.import_module(name)
        return False
    except (ImportError, AttributeError):
        pass
    for partial in [m for m in sys.modules if m.startswith('mmrazor.structures')]:
        del sys.modules[partial]
    stand_in = types.ModuleType(name, 'Replaces a module that does not import on torch >= 2.')
    stand_in.BackendConfigs = {}  # type: ignore[attr-defined]
    stand_in.QConfigHandler = _NoQuantization  # type: ignore[attr-defined]
    sys.modules[name] = stand_in
    return True


class _NoQuantization:
    """Raise an ImportError when quantisation is used."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ImportError(
            'MMRazor 1.0.0 cannot quantise on torch >= 2 (MMRazor issue 632); '
            'mmvitkd replaced that part so that distillation imports.'
        )


@contextmanager
def mmrazor_accepts_mmcv() -> Iterator[bool]:
    """Let ``import mmrazor`` accept mmcv 2.2 and 2.3 (MMRazor asserts <= 2.1.0).

    For mmrazor 1.0.0; MMRazor issue 615. Distillation uses nothing that changed in mmcv.
    """
    import mmcv

    version = mmcv.__version__
    needed = 'mmrazor' not in sys.modules and SpecifierSet('>2.1.0').contains(version)
    try:
        if needed:
            mmcv.__version__ = '2.1.0'
        yield needed
    finally:
        mmcv.__version__ = version


@contextmanager
def same_recursion_limit() -> Iterator[None]:
    """Restore Python's recursion limit, which importing MMRazor 1.0.0 raises to 1,048,576.

    Deeply nested JSON then overflows the stack, and kills the process. Where MMRazor was
    imported before, the limit becomes Python's default.
    """
    limit = sys.getrecursionlimit()
    if limit == MMRAZOR_RECURSION_LIMIT:
        limit = PYTHON_RECURSION_LIMIT
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
