"""Find out at once whether the Hugging Face hub can be reached; without it, use its cache."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from huggingface_hub import constants, get_session

TIMEOUT = 5  # seconds


@contextmanager
def hub_access() -> Iterator[str | None]:
    """Yield why the hub cannot be reached, or None; meanwhile downloads do not try it.

    The hub's own client tries each file six times, with more than 20 seconds of waiting. One
    request, by the client's settings for proxies and mirrors, is enough to know.
    """
    reason = _unreachable()
    if reason is None:
        yield None
        return
    # What HF_HUB_OFFLINE=1 sets, which is read only when the package is imported.
    with patch.object(constants, 'HF_HUB_OFFLINE', True):
        yield reason


def _unreachable() -> str | None:
    """Return why the hub cannot be reached, in a line; None if it can."""
    try:
        get_session().head(constants.ENDPOINT, timeout=TIMEOUT)
    except Exception as error:  # of whichever HTTP package the client uses
        lines = str(error).splitlines() or [type(error).__name__]
        return f'{constants.ENDPOINT} cannot be reached: {lines[0]}'
    return None
