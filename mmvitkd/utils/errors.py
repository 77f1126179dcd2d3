"""Define errors about settings, whose messages a tool can reword with its own options."""

from collections.abc import Mapping, Sequence
from typing import Any


class KeyedError(Exception):
    """An error that names settings, and knows which of them is wrong.

    Raise :class:`KeyedValueError` or :class:`KeyedFileNotFoundError`. In the message, a name in
    braces that is also in ``settings`` stands for that setting::

        raise KeyedValueError(
            '{checkpoint}: none is given for x.py. Give a file, or set {allow_random}=True.',
            'checkpoint', 'allow_random')

    ``str(error)`` has the plain names; a command-line tool passes its options to
    :meth:`worded`.

    Args:
        message: The text.
        key: The setting that is wrong.
        settings: Other settings that the text names.

    Attributes:
        key: The setting that is wrong.
    """

    def __init__(self, message: str, key: str, *settings: str) -> None:
        self.key = key
        self._message = message
        self._settings = (key, *settings)
        super().__init__(self.worded({}))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the arguments of the constructor, as for another process."""
        return type(self), (self._message, *self._settings)

    def worded(self, names: Mapping[str, str]) -> str:
        """Return the message with other names for some of its settings.

        Args:
            names: The new names by setting, such as ``{'img_size': '--img-size'}``.
        """
        message = self._message
        for setting in self._settings:
            name = names.get(setting, setting)
            if name != setting:  # an option without a value: --ema, not --ema=True
                message = message.replace(f'{{{setting}}}=True', name)
            message = message.replace(f'{{{setting}}}', name)
        return message

    def renamed(self, names: Mapping[str, str]) -> 'KeyedError':
        """Return the same error with other names for its settings, for a caller to raise."""
        settings = [names.get(setting, setting) for setting in self._settings]
        message = self._message
        for old, new in zip(self._settings, settings, strict=True):
            message = message.replace(f'{{{old}}}', f'{{{new}}}')
        return type(self)(message, *settings)


class KeyedValueError(KeyedError, ValueError):
    """A setting with a wrong value."""


class KeyedFileNotFoundError(KeyedError, FileNotFoundError):
    """A setting that names a file or folder which does not exist."""


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an error, which our tools print after its message.

    As ``error.add_note`` of Python 3.11. On 3.10 a traceback does not show it.
    """
    error.__notes__ = [*getattr(error, '__notes__', ()), note]  # type: ignore[attr-defined]


def listed(names: Sequence[str], limit: int = 5) -> str:
    """Return the first few names, and how many more there are."""
    more = f' and {len(names) - limit} more' if len(names) > limit else ''
    return ', '.join(names[:limit]) + more
