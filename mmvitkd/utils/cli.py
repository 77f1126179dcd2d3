"""End a tool with one line that names the option to change, instead of a traceback."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from .errors import KeyedError

# How torch reports that a process of a data loader was killed.
WORKER = 'DataLoader worker'


@contextmanager
def exit_on_error(tool: str, options: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turn what a user can fix into one line; other errors keep their traceback.

    Args:
        tool: The name of the tool, which begins the line.
        options: How a user types a setting, by its name: ``{'img_size': '--img-size'}``.

    Raises:
        SystemExit: With the line.
    """
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(f'{tool}: interrupted; nothing was written.')
    except (OSError, ValueError) as error:
        sys.exit(f'{tool}: {format_error(error, options or {})}')
    except RuntimeError as error:
        if not str(error).startswith(WORKER):
            raise
        reason = str(error).splitlines()[0].rstrip('. ')
        sys.exit(
            f'{tool}: {reason}; nothing was written. If memory ran out, use fewer --workers.'
        )


def format_error(error: Exception, options: Mapping[str, str]) -> str:
    """Return an error's message with its settings as a user types them.

    Args:
        error: A :class:`~mmvitkd.utils.errors.KeyedError` words itself; any other error is
            returned as it is. Its notes follow.
        options: The option by the name of the setting.
    """
    text = error.worded(options) if isinstance(error, KeyedError) else str(error)
    return ' '.join([text, *getattr(error, '__notes__', ())])
