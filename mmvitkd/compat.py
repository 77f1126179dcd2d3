"""Check the versions of other packages and patch what broke between them.

OpenMMLab stopped releasing in 2024; this module lets its last releases import and run on
a current PyTorch. ``import mmvitkd`` runs :func:`apply` before anything else. Every patch
names the versions it is for and the upstream issue it works around, and does nothing where
the installed versions do not need it. No other module checks versions.
"""

import gc
import importlib
import importlib.util
import inspect
import os
import os.path as osp
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from packaging.specifiers import SpecifierSet

UNSAFE_LOAD = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'


class Supported(NamedTuple):
    """A package that mmvitkd needs, under its import name."""

    module: str
    versions: str
    distributions: tuple[str, ...]
    pip: str


# The forks (onedl-*) have the same import names, and are accepted in their place.
SUPPORTED = (
    Supported(
        'torch',
        '>=2.6,<3',
        ('torch',),
        'pip install "torch==2.13.0" "torchvision==0.28.0"',
    ),
    Supported('numpy', '>=1.26,<3', ('numpy',), 'pip install "numpy>=1.26,<3"'),
    Supported('timm', '>=1.0.16,<2', ('timm',), 'pip install "timm==1.0.31"'),
    Supported(
        'mmengine',
        '>=0.10.5,<1',
        ('mmengine', 'mmengine-lite', 'onedl-mmengine'),
        'pip install "mmengine==0.10.7"',
    ),
    Supported(
        'mmcv',
        '>=2.0.0,<2.4',
        ('mmcv', 'mmcv-lite', 'onedl-mmcv'),
        'pip install "mmcv-lite==2.1.0"',
    ),
    Supported(
        'mmpretrain',
        '>=1.2.0,<2',
        ('mmpretrain', 'onedl-mmpretrain'),
        'pip install "mmpretrain==1.2.0"',
    ),
    Supported('mmrazor', '>=1.0.0,<2', ('mmrazor',), 'pip install "mmrazor==1.0.0"'),
    Supported('joblib', '>=1.0', ('joblib',), 'pip install joblib'),
)


def installed_version(package: Supported) -> str | None:
    """Return the installed version of a package, or None if it is not installed."""
    for name in package.distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if importlib.util.find_spec(package.module) is None:
        return None
    return str(importlib.import_module(package.module).__version__)


def check_versions(
    find: Callable[[Supported], str | None] = installed_version,
) -> None:
    """Check that every package is installed in a supported version.

    Args:
        find: Returns the installed version of a package, or None.

    Raises:
        RuntimeError: If a package is not; the message names the first, the installed and the
            supported version, and the pip line that fixes it. (An ImportError raised while
            MMEngine imports ``mmvitkd.registry`` would be reported as a missing scope.)
    """
    for package in SUPPORTED:
        version = find(package)
        if version is None or not SpecifierSet(package.versions).contains(
            version, prereleases=True
        ):
            raise RuntimeError(
                f'mmvitkd needs {package.module} {package.versions}, found '
                f'{version or "none"}. Fix: {package.pip}'
            )


def patch_torchvision() -> bool:
    """Let torchvision import on a torch whose build cannot load its compiled ops.

    For torchvision 0.26-0.28 (CUDA wheel) with a CPU build of torch. Upstream: the error
    "operator torchvision::nms does not exist", which torchvision raises when it registers
    the fake kernels of ops that its binary could not provide.
    """
    try:
        import torchvision  # noqa: F401

        return False
    except RuntimeError as error:
        if 'torchvision::' not in str(error):
            raise
    import torch

    nms = '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor'
    for op in ('nms', 'qnms'):
        if not hasattr(torch.ops.torchvision, op):
            torch.library.define(f'torchvision::{op}', nms)
    for name in [m for m in sys.modules if m.split('.')[0] == 'torchvision']:
        del sys.modules[name]
    importlib.import_module('torchvision')
    return True


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


def patch_unsafe_load_switch() -> bool:
    """Remove the environment variable that lets every ``torch.load`` execute a file.

    For torch >= 2.6. Our own calls resist it; those of other packages, such as the caches of
    MMPretrain's retrieval, name no ``weights_only`` and do not. A user's own call can still say
    ``weights_only=False``.
    """
    if os.environ.pop(UNSAFE_LOAD, None) is None:
        return False
    warnings.warn(f'mmvitkd ignores {UNSAFE_LOAD}: weights are data.', stacklevel=2)
    return True


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


def patch_pkg_resources() -> bool:
    """Let MMEngine find installed packages without ``pkg_resources``.

    For mmengine <= 0.10.7 on setuptools >= 81, which no longer has that module;
    ``_base_ = 'mmpretrain::...'`` needs it (MMEngine issue 1410 is about that prefix).
    """
    if importlib.util.find_spec('pkg_resources') is not None:
        return False
    from mmengine.utils import package_utils

    try:
        package_utils.is_installed('mmengine')
        return False
    except ImportError:
        pass
    replacements = {
        'is_installed': (package_utils.is_installed, _is_installed),
        'get_installed_path': (package_utils.get_installed_path, _get_installed_path),
    }
    for module_name, module in list(sys.modules.items()):
        if module_name.split('.')[0] == 'mmengine':
            for name, (old, new) in replacements.items():
                if getattr(module, name, None) is old:
                    setattr(module, name, new)
    return True


def _is_installed(package: str) -> bool:
    """Return whether a distribution or a module of this name is installed."""
    try:
        metadata.distribution(package)
        return True
    except metadata.PackageNotFoundError:
        spec = importlib.util.find_spec(package)
        return spec is not None and spec.origin is not None


def _get_installed_path(package: str) -> str:
    """Return the folder of an installed package, by its distribution's or module's name."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        top_level = metadata.distribution(package).read_text('top_level.txt') or ''
        # onedl-mmcv lists its documentation first.
        specs = map(importlib.util.find_spec, top_level.split() or [package])
        spec = next((found for found in specs if found and found.origin), None)
    if spec is None or spec.origin is None:
        raise RuntimeError(f'{package} is not an installed package with a folder of its own')
    return osp.dirname(spec.origin)


def patch_config_prefix() -> bool:
    """Let ``_base_ = 'mmvitkd::...'`` find the configs that come with this package.

    For mmengine and onedl-mmengine < 1; MMEngine issue 1410, PR 1411. MMEngine accepts
    this prefix only for the projects on its list, looks for the file in a sub-folder of an
    installed package, and makes the project the scope of everything inherited. Our configs
    write MMPretrain's types without a prefix, and would not build in another scope.
    """
    from mmengine.config import Config
    from mmengine.config.utils import MODULE2PACKAGE

    from .package_data import PREFIX, packaged_config

    if 'mmvitkd' in MODULE2PACKAGE:
        return False
    MODULE2PACKAGE['mmvitkd'] = 'mmvitkd'
    get_cfg_path = Config._get_cfg_path

    def get_cfg_path_or_packaged(cfg_path: str, filename: str) -> tuple[str, str | None]:
        if cfg_path.startswith(PREFIX):
            return str(packaged_config(cfg_path)), None
        path, scope = get_cfg_path(cfg_path, filename)
        return path, scope

    Config._get_cfg_path = staticmethod(get_cfg_path_or_packaged)
    return True


def patch_ffn() -> bool:
    """Let torch compile mmcv's FFN, whose decorator calls ``inspect.getfullargspec``.

    For mmcv < 2.4 on torch < 2.11: 2.6 cannot trace that call, and each block breaks the graph.
    No upstream issue is known to us. The decorator only renames an argument of before mmcv 1.4.
    """
    from mmcv.cnn.bricks.transformer import FFN

    needed = SpecifierSet('<2.11').contains(metadata.version('torch'), prereleases=True)
    if not needed or not hasattr(FFN.forward, '__wrapped__'):
        return False
    FFN.forward = FFN.forward.__wrapped__
    return True


def silence_ddp_notice() -> bool:
    """Silence torch's notice about ``broadcast_buffers``, which MMEngine's runner passes.

    For mmengine <= 0.10.7 on torch >= 2.13, where DDP renamed the argument; no upstream
    issue is known to us. A user who only runs a config cannot fix it.
    """
    needed = SpecifierSet('>=2.13.dev0').contains(metadata.version('torch'), prereleases=True)
    if needed:
        message = '`broadcast_buffers` is deprecated'
        warnings.filterwarnings('ignore', message, FutureWarning, r'mmengine\.model\.wrappers')
    return needed


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


MMRAZOR_RECURSION_LIMIT = 2**20
PYTHON_RECURSION_LIMIT = 1000


@contextmanager
def _same_recursion_limit() -> Iterator[None]:
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


def _import_mmpretrain() -> None:
    """Import MMPretrain's types, without what the fork prints of a package that is missing."""
    from mmengine.logging import MMLogger

    MMLogger.get_current_instance()  # keeps the screen for itself
    with redirect_stdout(StringIO()):
        for name in ('models', 'datasets', 'engine', 'evaluation', 'visualization'):
            importlib.import_module(f'mmpretrain.{name}')


def apply() -> tuple[str, ...]:
    """Check the versions, apply every patch, import the stack without its warnings.

    Returns:
        The names of the patches that were needed.
    """
    check_versions()
    done = []
    if patch_unsafe_load_switch():
        done.append(UNSAFE_LOAD)
    with warnings.catch_warnings(), _same_recursion_limit():
        # The warnings are about other packages' code, and a user cannot fix them:
        # mmcv-lite's missing compiled ops, deprecated torch names, invalid escapes.
        warnings.simplefilter('ignore')
        if patch_torchvision():
            done.append('torchvision')
        _import_mmpretrain()
        if patch_timm_hub():  # before the next, which changes what this one reloads
            done.append('timm hub')
        if patch_timm_local_dir():
            done.append('timm local-dir')
        if patch_timm_unpickling():
            done.append('timm unpickling')
        if patch_pkg_resources():
            done.append('pkg_resources')
        if patch_config_prefix():
            done.append('config prefix')
        if patch_ffn():
            done.append('FFN')
        with mmrazor_accepts_mmcv() as needed:
            importlib.import_module('mmrazor')
        if needed:
            done.append('mmcv cap')
        with lazy_imports('scipy.stats', 'sklearn.tree', 'matplotlib.pyplot'):
            if patch_mmrazor_quantization():
                done.append('mmrazor quantization')
            importlib.import_module('mmrazor.models')
            importlib.import_module('mmrazor.engine')
    if silence_ddp_notice():
        done.append('DDP notice')
    return tuple(done)
