"""How a tool ends early: with a line that names what was typed."""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# What torch says of a process that reads images and is no more.
WORKER = 'DataLoader worker'


@contextmanager
def exit_on_error(tool: str, options: Mapping[str, str]) -> Iterator[None]:
    """A context that ends the process for what a user can mend, without a traceback.

    Args:
        tool: Its name, for the beginning of the line.
        options: How a user types arguments, by their names: ``{'img_size': '--img-size'}``.

    Raises:
        SystemExit: With the line.
    """
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(f'{tool}: interrupted; nothing was written.')
    except (OSError, ValueError) as error:
        sys.exit(f'{tool}: {format_error(str(error), options)}')
    except RuntimeError as error:
        if not str(error).startswith(WORKER):
            raise
        reason = str(error).splitlines()[0].rstrip('. ')
        sys.exit(
            f'{tool}: {reason}; nothing was written. If memory was short, fewer --workers '
            'take less.'
        )


def format_error(message: str, options: Mapping[str, str]) -> str:
    """A message whose ``key=`` and, at its beginning, ``key:`` are as a user types them.

    So is its advice: ``key=True`` becomes ``--key``, and ``key="FILE"`` becomes ``--key FILE``.
    """

    def advice(found: re.Match[str]) -> str:
        option = options[found[1]]
        return f'{option} FILE' if found[2] == '"FILE"' and option.startswith('--') else option

    keys = '|'.join(options)
    message = re.sub(rf'(?<= )({keys})=(True|"FILE")', advice, message)
    return re.sub(
        rf'^({keys})(?=[=:])|(?<= )({keys})(?==)',
        lambda found: options[found[0]],
        message,
    )
