"""Mark messages of the log that the screen shows before the first epoch as well."""


class OnScreen(str):
    """Such a message; see :mod:`mmvitkd.engine.logging.screen`."""

    __slots__ = ()
