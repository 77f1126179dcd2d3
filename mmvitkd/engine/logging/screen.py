"""Keep the screen to what a user reads; the log file has everything."""

import logging
from collections.abc import Iterator
from logging.handlers import MemoryHandler

from mmengine.logging import MMLogger

from ...utils.on_screen import OnScreen

# How messages begin that say nothing to a user: of other packages about their own code, and
# the name of the run at every epoch.
NOTES = (
    *('"FileClient" will be deprecated', '"HardDiskBackend" is the alias', 'Exp name: '),
    'Failed to search registry with scope',  # and then found in the root
)
# Where packages are installed: what Python warns of there is no fault of the user's.
INSTALLED = ('site-packages', 'dist-packages')
NEVER = logging.CRITICAL + 1


class ScreenFilter(logging.Filter):
    """Show warnings and what is marked as ``OnScreen``; once it is open, all records.

    Attributes:
        is_open: Whether all records are shown, as from the first epoch on.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_open = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is shown."""
        if str(record.msg).startswith(NOTES):
            return False
        is_warning = record.levelno >= logging.WARNING
        return is_warning or self.is_open or isinstance(record.msg, OnScreen)


class _PythonFilter(logging.Filter):
    """Show what Python warns of in a user's own files, and errors of other packages."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == 'py.warnings':
            return not any(folder in record.getMessage() for folder in INSTALLED)
        return record.levelno >= logging.ERROR


class _EarlyRecords(MemoryHandler):
    """Hold what is logged before there is a log file, then write it there."""

    def __init__(self) -> None:
        super().__init__(capacity=10_000, flushLevel=NEVER, flushOnClose=False)

    def write_to(self, files: list[logging.FileHandler]) -> None:
        """Write to a file from now on; a rank without one forgets the records."""
        self.setTarget(files[0] if files else logging.NullHandler())
        self.flushLevel = logging.NOTSET
        self.flush()


_early = _EarlyRecords()


def quiet_start(rank: int = 0) -> None:
    """Keep what comes before the log file off the screen; Python's warnings go to the file too.

    For tools, before they read a config: it changes the loggers of the whole process.

    Args:
        rank: That of the process; others than the first show errors only, as MMEngine's loggers
            do once the processes have met.
    """
    logger, root = MMLogger.get_current_instance(), logging.getLogger()
    if _early in root.handlers:
        return
    _add_filter(logger)
    if rank > 0:
        for screen in filter(None, (*_screens(logger), logging.lastResort)):
            screen.setLevel(logging.ERROR)
    logger.addHandler(_early)
    root.addHandler(_early)
    if logging.lastResort is not None:  # stderr, which Python no longer uses by itself
        logging.lastResort.addFilter(_PythonFilter())
        root.addHandler(logging.lastResort)
    logging.captureWarnings(True)


def quiet(logger: MMLogger, verbose: bool = False) -> None:
    """Keep the screen of a run's logger to what is marked, until :func:`open_screen`.

    Args:
        logger: The logger; its file gets what came before it.
        verbose: Whether its screen shows everything all the same.
    """
    _early.write_to([h for h in logger.handlers if isinstance(h, logging.FileHandler)])
    if not verbose:
        _add_filter(logger)


def open_screen(logger: MMLogger) -> None:
    """Show everything that a logger is given from now on."""
    for handler in _screens(logger):
        for each in handler.filters:
            if isinstance(each, ScreenFilter):
                each.is_open = True


def _add_filter(logger: MMLogger) -> None:
    for handler in _screens(logger):
        if not any(isinstance(each, ScreenFilter) for each in handler.filters):
            handler.addFilter(ScreenFilter())


def _screens(logger: MMLogger) -> Iterator[logging.Handler]:
    for handler in logger.handlers:
        is_file = isinstance(handler, logging.FileHandler)
        if isinstance(handler, logging.StreamHandler) and not is_file:
            yield handler
