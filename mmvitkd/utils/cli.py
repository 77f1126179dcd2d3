"""End a tool with one line that names the option to change, instead of a traceback."""

import re
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
            returned as it is.
        options: The option by the name of the setting.
    """
    if isinstance(error, KeyedError):
        return error.worded(options)
    return _replace_keys(str(error), options)


def _replace_keys(message: str, options: Mapping[str, str]) -> str:
    """Word an error that is not a ``KeyedError`` yet; remove this with the last of them."""
    if not options:
        return message

    def advice(found: re.Match[str]) -> str:
        option = options[found[1]]
        return f'{option} FILE' if found[2] == '"FILE"' and option.startswith('--') else option

    keys = '|'.join(options)
    message = re.sub(rf'(?<= )({keys})=(True|"FILE")', advice, message)
    return re.sub(
        rf'^({keys})(?=[=:])|(?<= )({keys})(?==)', lambda found: options[found[0]], message
    )
