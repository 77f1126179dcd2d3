"""End a tool with one line that names the option to change, instead of a traceback."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .disk_full import find_disk_full
from .errors import KeyedError
from .folder_lock import FolderInUseError

# Beginning of torch's error when a process of a data loader was killed.
WORKER_ERROR = 'DataLoader worker'


@contextmanager
def exit_on_error(tool: str, options: Mapping[str, str] | None = None) -> Iterator[None]:
    """Exit with one line on errors that a user can fix; others keep their traceback.

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
    except (OSError, ValueError) as error:
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
        if full is None:
            raise
        name = '' if full.filename else f': {str(folder)!r}'
        sys.exit(
            f'{tool}: {full}{name}. The checkpoints and the log written so far are whole; free '
            'some space, then the same command with --resume goes on.'
        )


def format_error(error: Exception, options: Mapping[str, str]) -> str:
    """Return an error's message, with settings named by their options.

    Args:
        error: If it is not a :class:`~mmvitkd.utils.errors.KeyedError`, its message is
            returned unchanged. Its notes follow.
        options: Options of the command line by setting.
    """
    text = error.worded(options) if isinstance(error, KeyedError) else str(error)
    return ' '.join([text, *getattr(error, '__notes__', ())])
