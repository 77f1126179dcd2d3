"""Hand collected items to a function every few seconds, in a thread."""

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Item = TypeVar('Item')


class FlushThread(Generic[Item]):
    """Collect items, and hand them to a function later.

    The thread starts with the first item. In a forked process there is neither the thread nor
    what was collected before: both are the parent's.

    Args:
        work: The function. It never runs twice at once.
        interval: The seconds from one call to the next.
    """

    def __init__(self, work: Callable[[list[Item]], None], interval: float) -> None:
        self._work, self._interval = work, interval
        self._start()
        _instances.add(self)

    def _start(self) -> None:
        self._pending: deque[Item] = deque()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def add(self, item: Item) -> None:
        """Collect an item."""
        self._pending.append(item)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def flush(self) -> None:
        """Hand over what was collected, and wait for it.

        Raises:
            Exception: What the function raises, or raised in the thread.
        """
        self._hand_over()
        self.raise_error()

    def raise_error(self) -> None:
        """Raise what the function raised in the thread since the last call, if it did."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """Stop the thread, then flush."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        self._thread, self._closing = None, threading.Event()
        self.flush()

    def _run(self) -> None:
        closing = self._closing
        while not closing.wait(self._interval):
            try:
                self._hand_over()
            except Exception as error:
                self._error = error

    def _hand_over(self) -> None:
        with self._lock:
            items = [self._pending.popleft() for _ in range(len(self._pending))]
            if items:
                self._work(items)


_instances: weakref.WeakSet[FlushThread[Any]] = weakref.WeakSet()


def _start_in_child() -> None:
    """Forget the thread, which a fork does not copy, and the lock, which it may have held."""
    for instance in _instances:
        instance._start()


os.register_at_fork(after_in_child=_start_in_child)
