"""A log buffer whose values may still be on their way from the device."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

# Values a buffer lets wait before it takes them in without being read.
MOST = 1000


class Transfer:
    """Scalars of several steps on the device, which all arrive together."""

    def __init__(self) -> None:
        self._rows: list[Row] = []

    def add(self, values: Mapping[str, Tensor]) -> dict[str, tuple['Row', int]]:
        """Copy one step's scalars, on their device; nothing waits for it.

        Args:
            values: Tensors of one element each.

        Returns:
            Under the same names where each value will be: its row, and the place in it.
        """
        alike: dict[tuple, list[str]] = {}
        for name, value in values.items():
            alike.setdefault((value.device, value.dtype), []).append(name)
        cells = {}
        for names in alike.values():
            # A copy: what a compiled graph or a buffer of the model gave will be overwritten.
            row = Row(torch.stack([values[name].detach().reshape(()) for name in names]))
            self._rows.append(row)
            cells.update({name: (row, place) for place, name in enumerate(names)})
        return cells

    def arrive(self) -> None:
        """Read all rows that wait: one transfer for those of a kind, usually one in all."""
        alike: dict[tuple, list[Row]] = {}
        for row in self._rows:
            kind = (row.tensor.device, row.tensor.dtype, len(row.tensor))
            alike.setdefault(kind, []).append(row)
        for rows in alike.values():
            for row, values in zip(
                rows, torch.stack([r.tensor for r in rows]).tolist(), strict=True
            ):
                row.values = values
        self._rows = []


class Row:
    """One step's scalars of one kind: a tensor, and its values once they arrived."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.values: list[float] | None = None


class AsyncHistoryBuffer(HistoryBuffer):
    """MMEngine's ``HistoryBuffer``, which takes its values in when it is read.

    To every reader it is the buffer it took the place of, to the bit; a copy of it is one.
    MMEngine's copies the whole history at each value, which this one does at each reading.

    Args:
        buffer: The history so far.
        transfer: What fetches the values that are on the device.
    """

    def __init__(self, buffer: HistoryBuffer, transfer: Transfer) -> None:
        super().__init__(*buffer.data, max_length=buffer.max_length)
        self._transfer = transfer
        self._waiting: list[tuple[Any, int]] = []  # number or cell, count

    def update(self, log_val: float, count: int = 1) -> None:
        """Append a number."""
        if not isinstance(log_val, int | float) or not isinstance(count, int | float):
            super().update(log_val, count)  # which says what is wrong
        self._wait(log_val, count)

    def defer(self, cell: tuple[Row, int]) -> None:
        """Append a value that was given to the transfer."""
        self._wait(cell, 1)

    def defer_tensor(self, value: Tensor) -> None:
        """Append a value that is on the device."""
        self.defer(self._transfer.add({'': value})[''])

    def _wait(self, value: Any, count: int) -> None:
        self._waiting.append((value, count))
        if len(self._waiting) >= MOST:
            self._take_in()

    def _take_in(self) -> None:
        if not self._waiting:
            return
        values, counts = zip(*self._waiting, strict=True)
        self._waiting = []
        if any(isinstance(v, tuple) and v[0].values is None for v in values):
            self._transfer.arrive()
        new = ([v[0].values[v[1]] if isinstance(v, tuple) else v for v in values], counts)
        parts = (
            np.concatenate([old, np.array(part)])[-self.max_length :]
            for old, part in zip(super().data, new, strict=True)
        )
        super().__init__(*parts, max_length=self.max_length)

    @property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """The values and their counts."""
        self._take_in()
        return super().data

    def current(self) -> np.ndarray:
        """The newest value; MMEngine's timer asks for it at every step."""
        newest = self._waiting[-1][0] if self._waiting else None
        if isinstance(newest, float):
            return np.float64(newest)  # type: ignore[return-value]  # as MMEngine's own
        self._take_in()
        return super().current()

    def mean(self, window_size: int | None = None) -> np.ndarray:
        """The mean of the newest values."""
        self._take_in()
        return super().mean(window_size)

    def max(self, window_size: int | None = None) -> np.ndarray:
        """The largest of the newest values."""
        self._take_in()
        return super().max(window_size)

    def min(self, window_size: int | None = None) -> np.ndarray:
        """The smallest of the newest values."""
        self._take_in()
        return super().min(window_size)

    def statistics(self, method_name: str, *arg: Any, **kwargs: Any) -> Any:
        """What a method makes of it that was registered by its name."""
        self._take_in()
        return super().statistics(method_name, *arg, **kwargs)

    def __reduce__(self) -> tuple:
        """Copied and saved as MMEngine's, for whoever loads it."""
        return HistoryBuffer, (*self.data, self.max_length)
