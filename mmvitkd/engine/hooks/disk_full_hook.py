"""Let a training go on when a picture or a line of the log cannot be written."""

import logging
import sys
from functools import partial

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from ...registry import HOOKS
from ..logging.tolerant_backend import GOES_ON, tolerate


@HOOKS.register_module()
class DiskFullHook(Hook):  # type: ignore[misc]  # MMEngine is untyped
    """Log one warning for each backend of the visualizer and each log that cannot be written.

    They are tried again every time, so that they go on when there is space. A checkpoint that
    cannot be written ends the run.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Wrap the backends and the handlers of the log."""
        tolerate(runner.visualizer)
        for handler in runner.logger.handlers:
            if 'handleError' not in vars(handler):  # that of its class prints a traceback
                handler.handleError = partial(_report_once, handler, set())


def _report_once(
    handler: logging.Handler, reported: set[str], record: logging.LogRecord
) -> None:
    """Print one line for a log that cannot be written, as ``Handler.handleError`` does."""
    error = sys.exc_info()[1]
    if not isinstance(error, OSError):
        logging.Handler.handleError(handler, record)
    elif not reported:
        reported.add(str(error))
        _warn(f'{getattr(handler, "baseFilename", "The output")}: {error}')


def _warn(text: str) -> None:
    print_log(f'{text}. {GOES_ON}', 'current', logging.WARNING)
