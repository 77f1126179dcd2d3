"""Let a training go on, and as without it, when a backend of the visualizer fails or seeds."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from logging import WARNING
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmengine.visualization import LocalVisBackend, Visualizer
from torch import Tensor

from ...utils.random_state import preserved

WRITERS = ('add_config', 'add_graph', 'add_image', 'add_scalar', 'add_scalars', 'close')
GOES_ON = 'The run goes on, and tries again.'


def tolerate(visualizer: Visualizer) -> None:
    """Wrap the backends of a visualizer, once, so that their errors become warnings."""
    backends = visualizer._vis_backends
    for name, backend in backends.items():
        if not isinstance(backend, TolerantBackend):
            backends[name] = TolerantBackend(name, backend)


class TolerantBackend:
    """A backend that logs one warning for each of its methods that fails.

    A package that is not installed is an error, as it is found before the training. A backend
    that cannot start otherwise, such as without a network, is not tried again, as each try may
    wait; one that cannot write is. Services get the metrics that are one number each. One that
    seeds the random generators when it starts, as ClearML does, leaves those of the run alone.

    Args:
        name: Its name in the warning.
        backend: The backend.
    """

    def __init__(self, name: str, backend: Any) -> None:
        self._name, self._backend = name, backend
        self._warned: set[str] = set()
        self._has_started: bool | None = None

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._backend, name)
        return partial(self._try, name, attribute) if name in WRITERS else attribute

    def _try(self, name: str, write: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        if self._has_started is False:
            return
        if name == 'add_scalars' and not isinstance(self._backend, LocalVisBackend):
            metrics, *rest = args
            args = ({k: v for k, v in metrics.items() if _is_number(v)}, *rest)
        try:
            with preserved() if self._has_started is None else nullcontext():
                write(*args, **kwargs)
            self._has_started = True
        except ImportError:
            raise
        except Exception as error:  # each service raises its own kind
            if self._has_started is None:
                self._has_started = bool(getattr(self._backend, '_env_initialized', True))
            if name not in self._warned:
                self._warned.add(name)
                self._warn(name, error)

    def _warn(self, name: str, error: Exception) -> None:
        reason = ' '.join(str(error).split()) or type(error).__name__
        end = GOES_ON if self._has_started else 'The run goes on without it.'
        print_log(f'{self._name}.{name}: {reason.rstrip(".")}. {end}', 'current', WARNING)


def _is_number(value: Any) -> bool:
    """Return whether a metric is one number, not a list, such as one for each class."""
    if isinstance(value, Tensor):
        return bool(value.numel() == 1)
    if isinstance(value, np.ndarray):
        return bool(value.size == 1)
    return isinstance(value, int | float | np.number)
