"""Import faster: without garbage collection, and without what is not needed."""

import gc
import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _LazyAttribute:
    """An attribute of a module that is imported when it is called or read from."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def _import(self) -> Any:
        return getattr(importlib.import_module(self._module), self._name)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._import(), attribute)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._import()(*args, **kwargs)


class _LazyModule(types.ModuleType):
    """A module that has every attribute, each imported on first use."""

    def __getattr__(self, name: str) -> _LazyAttribute:
        if name.startswith('__'):  # Python itself reads these
            raise AttributeError(name)
        return _LazyAttribute(self.__name__, name)


@contextmanager
def lazy_imports(*modules: str) -> Iterator[None]:
    """Replace modules, within this context, by stand-ins that import them on first use.

    For mmrazor 1.0.0, which needs scikit-learn, SciPy's statistics and pyplot for a few of its
    classes only: importing them adds half a second to the start of every process.

    Args:
        modules: Their names. A module that is already imported is not replaced.
    """
    stand_ins = {name: _LazyModule(name) for name in modules if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


@contextmanager
def fast_import() -> Iterator[None]:
    """Import without garbage collection, which takes a third of the time and finds little.

    Where torch is imported here for the first time, the 500,000 objects that exist at the end
    are frozen: later collections, and the one at exit, skip them. Otherwise they may include a
    user's models, which must stay collectable. ``gc.unfreeze()`` undoes the freezing.
    """
    enabled, is_first = gc.isenabled(), 'torch' not in sys.modules
    gc.disable()
    try:
        yield
        if is_first:
            gc.collect()
            gc.freeze()
    finally:
        if enabled:
            gc.enable()
