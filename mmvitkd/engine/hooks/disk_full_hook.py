"""Let a training go on when a picture or a line of the log cannot be written."""

import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from ...registry import HOOKS

WRITERS = ('add_config', 'add_graph', 'add_image', 'add_scalar', 'add_scalars', 'close')


@HOOKS.register_module()
class DiskFullHook(Hook):  # type: ignore[misc]  # MMEngine is untyped
    """Log one warning for each backend of the visualizer and each log that cannot be written.

    They are tried again every time, so that they go on when there is space. A checkpoint that
    cannot be written ends the run.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Wrap the backends and the handlers of the log."""
        backends = runner.visualizer._vis_backends
        for name, backend in backends.items():
            if not isinstance(backend, _Tolerant):
                backends[name] = _Tolerant(name, backend)
        for handler in runner.logger.handlers:
            if 'handleError' not in vars(handler):  # that of its class prints a traceback
                handler.handleError = partial(_report_once, handler, set())


class _Tolerant:
    """A backend of the visualizer that warns when it cannot write.

    Args:
        name: Its name in the warning.
        backend: The backend.
    """

    def __init__(self, name: str, backend: Any) -> None:
        self._name, self._backend = name, backend
        self._warned: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._backend, name)
        return partial(self._try, name, attribute) if name in WRITERS else attribute

    def _try(self, name: str, write: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        try:
            write(*args, **kwargs)
        except OSError as error:
            if name not in self._warned:
                self._warned.add(name)
                _warn(f'{self._name}.{name}: {error}')


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
    print_log(f'{text}. The run goes on, and tries again.', 'current', logging.WARNING)
