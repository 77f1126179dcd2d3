"""End a tool with one line that names the option to change, instead of a traceback."""

import logging
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mmengine.logging import MMLogger

from .disk_full import find_disk_full
from .errors import KeyedError
from .folder_lock import FolderInUseError
from .markdown import printable

# Beginning of torch's error when a process of a data loader was killed.
WORKER_ERROR = 'DataLoader worker'
# In the error of a loader whose process raised one.
WORKER_TRACEBACK = 'Original Traceback'
# What calls a config's types: errors raised there are about a type or its arguments.
BUILDERS = ('mmengine.registry', 'mmvitkd.utils.deprecation')
# Packages whose OSErrors and ValueErrors are about the settings or files they were given.
CHECKING = {'mmvitkd', 'mmengine', 'mmcv', 'mmpretrain', 'mmrazor'}
# Packages that may call these, or be called by them, in a run without a user's own code.
KNOWN = {*CHECKING, *sys.stdlib_module_names, 'torch', 'torchvision', 'timm', 'numpy', 'PIL'}
# An environment variable: if it is set, no tool replaces a traceback by a line.
SHOW_TRACEBACK = 'MMVITKD_TRACEBACK'


@contextmanager
def exit_on_error(tool: str, options: Mapping[str, str] | None = None) -> Iterator[None]:
    """Exit with one line on errors that a user can fix; others keep their traceback.

    For tools that do not run a user's own code, such as the analyses. All keep it if the
    environment variable ``MMVITKD_TRACEBACK`` is set.

    Args:
        tool: The name of the tool, which begins the line.
        options: Options of the command line by setting: ``{'img_size': '--img-size'}``.

    Raises:
        SystemExit: With the line as its message.
    """
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(f'{tool}: interrupted; nothing was written.')
    except (OSError, ValueError, KeyError, TypeError) as error:
        is_known = isinstance(error, OSError | ValueError) or _is_of_builder(error)
        if os.environ.get(SHOW_TRACEBACK) or not is_known:
            raise
        sys.exit(f'{tool}: {format_error(error, options or {})}')
    except RuntimeError as error:
        if not str(error).startswith(WORKER_ERROR):
            raise
        reason = str(error).splitlines()[0].rstrip('. ')
        sys.exit(
            f'{tool}: {reason}; nothing was written. If memory ran out, use fewer --workers.'
        )


@contextmanager
def exit_on_folder_error(tool: str, folder: str | Path) -> Iterator[None]:
    """Exit with one line when the disk is full or another process uses the folder.

    Args:
        tool: The name of the tool, which begins the line.
        folder: The folder it writes to, which the line names if the error names no file.

    Raises:
        SystemExit: With the line as its message.
    """
    try:
        yield
    except FolderInUseError as error:
        sys.exit(f'{tool}: {error}')
    except Exception as error:
        full = find_disk_full(error)
        if os.environ.get(SHOW_TRACEBACK) or full is None:
            raise
        name = '' if full.filename else f': {str(folder)!r}'
        sys.exit(
            f'{tool}: {full}{name}. The checkpoints and the log written so far are whole; free '
            'some space, then the same command with --resume goes on.'
        )


@contextmanager
def exit_on_setting_error(
    tool: str, options: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Exit with one line on errors about a run's settings; others keep their traceback.

    For training and testing, which build and run a user's own modules: errors that pass
    through these keep it, unless they are of the kind ``KeyedError``. The traceback of the
    others goes to the log file of the run, if there is one yet, which the line names. All keep
    it if the environment variable ``MMVITKD_TRACEBACK`` is set.

    Args:
        tool: The name of the tool, which begins the line.
        options: Options of the command line by setting.

    Raises:
        SystemExit: With the line as its message.
    """
    try:
        yield
    except Exception as error:
        if os.environ.get(SHOW_TRACEBACK) or not _is_about_settings(error):
            raise
        line = ' '.join(format_error(error, options or {}).split())
        sys.exit(f'{tool}: {line}{_log_traceback(error)}')


def _is_about_settings(error: Exception) -> bool:
    """Return whether a check raised an error, and no module of the user's passed it on."""
    if isinstance(error, KeyedError):
        return True
    _, tool, *modules = _modules(error)  # the first is this one
    if not all(name.partition('.')[0] in KNOWN or name == tool for name in modules):
        return False
    if hasattr(error, 'config_key'):
        return True
    if isinstance(error, KeyError | TypeError):
        return _is_of_builder(error)
    raising = modules[-1].partition('.')[0] if modules else ''
    return raising in CHECKING and isinstance(error, OSError | ValueError)


def _modules(error: BaseException) -> list[str]:
    """Return the names of the modules that an error passed through, the raising one last."""
    frames = traceback.walk_tb(error.__traceback__)
    return [str(frame.f_globals.get('__name__')) for frame, _ in frames]


def _is_of_builder(error: BaseException) -> bool:
    """Return whether a type of the config, or its arguments, could not be used at all."""
    return _modules(error)[-1].startswith(BUILDERS)


def _log_traceback(error: Exception) -> str:
    """Write an error's traceback to the log files of the run; return where it is, in words."""
    logger = MMLogger.get_current_instance()
    files = [h for h in logger.handlers if isinstance(h, logging.FileHandler)]
    about = (type(error), error, error.__traceback__)
    record = logger.makeRecord(logger.name, logging.ERROR, '', 0, 'Stopped:', (), about)
    for handler in files:
        handler.handle(record)
    return ''.join(f' (traceback: {handler.baseFilename})' for handler in files)


def print_left_out(unreadable: Mapping[str, str]) -> None:
    """Print which images cannot be read, and why; a file name need not be valid text."""
    for path, reason in sorted(unreadable.items()):
        print(printable(f'left out, as it cannot be read: {path}: {reason}'))


def format_error(error: Exception, options: Mapping[str, str]) -> str:
    """Return an error's message, with settings named by their options.

    Args:
        error: If it is not a :class:`~mmvitkd.utils.errors.KeyedError`, its message is
            returned unchanged. Its notes follow.
        options: Options of the command line by setting.
    """
    text = error.worded(options) if isinstance(error, KeyedError) else str(error)
    if isinstance(error, KeyError) and error.args:  # whose str() is in quotes
        text = str(error.args[0])
    if hasattr(error, 'config_key'):
        if WORKER_TRACEBACK in text:  # whose last line is the error
            text = text.strip().splitlines()[-1]
        text = f'{error.config_key}: {text or type(error).__name__}'
    return ' '.join([text, *getattr(error, '__notes__', ())])
