"""Load a config and complete it as a run does."""

import sys
import traceback
from copy import deepcopy
from typing import Any

from mmengine.config import Config
from mmengine.hub import get_config

from ..checkpoint.checksums import log_if_changed
from ..datasets.mean_std import fill_measured
from ..package_data import PACKAGE, PREFIX, packaged_config
from ..utils.errors import KeyedValueError
from .layers import Layers
from .schema import check_settings
from .shortcuts import SHORTCUTS, apply_shortcuts
from .student_config import student_config
from .teacher_cache import merge_options

# What the code of a config file may raise.
FAILURES = (SyntaxError, ArithmeticError, AttributeError, LookupError, NameError, TypeError)
APPLIED = '_mmvitkd_applied'


def load_config(
    path: str,
    options: dict[str, Any] | None = None,
    measure: bool = True,
    check: bool = True,
) -> Config:
    """Load a config as ``tools/train.py`` does: with what its top-level keys stand for.

    Args:
        path: See :func:`read_config`.
        options: Settings that override the file's, as ``--cfg-options`` gives them: nested
            keys have dots.
        measure: See :func:`complete_config`.
        check: See :func:`complete_config`.

    Raises:
        FileNotFoundError: If there is no such config; see also :func:`complete_config`.
        ValueError: See :func:`complete_config`.

    >>> from mmvitkd import load_config
    >>> cfg = load_config('mmvitkd::mnist5k/vit_32.py', {'num_classes': 7})
    >>> cfg.model.head.num_classes
    7
    """
    cfg = read_config(path)
    if options is not None:
        merge_options(cfg, deepcopy(options))  # the config changes what it holds
    complete_config(cfg, measure, options, check)
    return cfg


def read_config(path: str) -> Config:
    """Read a config file as it is; warn if it was edited since an export wrote it.

    Its ``custom_imports`` find what lies next to the package, such as the projects of a clone.

    Args:
        path: A config file (.py), or ``'mmvitkd::PATH'`` or another package's, such as
            ``'mmpretrain::PATH'``.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If a file is no Python, or its code fails.
    """
    if (clone := str(PACKAGE.parent)) not in sys.path:
        sys.path.append(clone)
    if path.startswith(PREFIX):
        path = str(packaged_config(path))
    try:
        cfg = get_config(path) if '::' in path else Config.fromfile(path)
    except FileNotFoundError as error:
        if error.filename is None or '::' in path:
            raise
        raise FileNotFoundError(_missing_file(error)) from error
    except ImportError as error:  # MMEngine's has a page of advice
        cause = error.__cause__ or error
        raise ValueError(
            f'{path}: {cause}. What custom_imports names is looked for in PYTHONPATH.'
        ) from error
    except FAILURES as error:
        what = f'{type(error).__name__}: {error}'
        raise ValueError(f'{_failing_line(error, path)}: {what}') from error
    if cfg.filename is not None:
        log_if_changed(cfg.filename)
    return cfg


def _missing_file(error: FileNotFoundError) -> str:
    """Return which config is missing, and which one inherits it."""
    read = [
        frame.f_locals.get('filename') for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    names = [name for name in read if name not in (None, error.filename)]
    place = f'{names[-1]}: _base_=' if names else ''
    return f'{place}{error.filename!r}: there is no such file'


def _failing_line(error: Exception, path: str) -> str:
    """Return the file and the line of a config, or of one that it inherits, that fails."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get('__name__') == Config.__module__:
            path = frame.f_locals.get('filename', path)
        elif frame.f_code.co_filename == str(path):
            line = number
    return str(path) if line is None else f'{path}, line {line}'


def complete_config(
    cfg: Config,
    measure: bool = True,
    options: dict[str, Any] | None = None,
    check: bool = True,
) -> None:
    """Check a config, expand its shortcuts and measure its mean and std, in place.

    What is complete stays as it is, but for shortcuts whose value was changed since: these are
    applied again, everywhere.

    Args:
        cfg: The config of a run.
        measure: Whether to read images where the config asks for their mean and standard
            deviation; if not, these stay ``'measured'``.
        options: Settings that were merged into it; they win over those of its files.
        check: Whether to check all settings, which a config that only names a model may not
            stand up to: see :func:`~mmvitkd.config.schema.check_settings`.

    Raises:
        FileNotFoundError: If the images to measure do not exist.
        ValueError: If nothing reads a key, a value cannot be used, ``student`` is set, or no
            image can be measured.
    """
    student = cfg.get('student')
    if student is not None and student != student_config(cfg.get('model') or {}):
        raise KeyedValueError(
            '{student}: this key is not used. Override model.architecture, or model if there '
            'is no teacher; a config that inherits one of _base_/students takes the student '
            "by _base_.pop('student').",
            'student',
        )
    applied = cfg.__dict__.get(APPLIED)
    if applied is None:
        layers = Layers.of(cfg.filename, options)
        if check:
            check_settings(cfg, layers)
        apply_shortcuts(cfg, layers)
    else:
        apply_shortcuts(cfg, only=[k for k in SHORTCUTS if cfg.get(k) != applied[k]])
    # Not a setting, as an attribute would be; copies of the config have it.
    object.__setattr__(cfg, APPLIED, {key: deepcopy(cfg.get(key)) for key in SHORTCUTS})
    if measure:
        fill_measured(cfg)
