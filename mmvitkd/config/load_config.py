"""Load a config and complete it as a run does."""

from typing import Any

from mmengine.config import Config
from mmengine.hub import get_config

from ..checkpoint.checksums import log_if_changed
from ..datasets.mean_std import fill_measured
from ..package_data import PREFIX, packaged_config
from ..utils.errors import KeyedValueError
from .shortcuts import apply_shortcuts
from .student_config import student_config
from .teacher_cache import merge_options


def load_config(
    path: str, options: dict[str, Any] | None = None, measure: bool = True
) -> Config:
    """Load a config as ``tools/train.py`` does: with what its top-level keys stand for.

    Args:
        path: See :func:`read_config`.
        options: Settings that override the file's, as ``--cfg-options`` gives them: nested
            keys have dots.
        measure: See :func:`complete_config`.

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
        merge_options(cfg, options)
    complete_config(cfg, measure)
    return cfg


def read_config(path: str) -> Config:
    """Read a config file as it is; warn if it was edited since an export wrote it.

    Args:
        path: A config file (.py), or ``'mmvitkd::PATH'`` or another package's, such as
            ``'mmpretrain::PATH'``.

    Raises:
        FileNotFoundError: If there is no such config.
    """
    if path.startswith(PREFIX):
        path = str(packaged_config(path))
    cfg = get_config(path) if '::' in path else Config.fromfile(path)
    if cfg.filename is not None:
        log_if_changed(cfg.filename)
    return cfg


def complete_config(cfg: Config, measure: bool = True) -> None:
    """Expand a config's shortcuts and measure its mean and std, in place.

    What is complete does not change.

    Args:
        cfg: The config of a run.
        measure: Whether to read images where the config asks for their mean and standard
            deviation; if not, these stay ``'measured'``.

    Raises:
        FileNotFoundError: If the images to measure do not exist.
        ValueError: If a shortcut has a wrong value, ``student`` is set, or no image can be
            measured.
    """
    student = cfg.get('student')
    if student is not None and student != student_config(cfg.get('model') or {}):
        raise KeyedValueError(
            '{student}: this key is not used. Override model.architecture, or model if there '
            'is no teacher; a config that inherits one of _base_/students takes the student '
            "by _base_.pop('student').",
            'student',
        )
    apply_shortcuts(cfg)
    if measure:
        fill_measured(cfg)
