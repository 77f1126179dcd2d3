"""Keep logged values on the device until they are read, without host-device synchronisation."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

# With this many pending values, a buffer copies them to the host even if nothing reads it.
MAX_PENDING = 1000


class ScalarRow:
    """Scalars of one step in one tensor, and their values once they were copied."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.values: list[float] | None = None


# One scalar: its row, and its position there.
DeferredScalar = tuple[ScalarRow, int]


class DeviceScalars:
    """Scalars of several steps on the device, which are copied to the host together."""

    def __init__(self) -> None:
        self._rows: list[ScalarRow] = []

    def add(self, values: Mapping[str, Tensor]) -> dict[str, DeferredScalar]:
        """Copy the scalars of one step on their device, without synchronisation.

        Args:
            values: Tensors of one element each.

        Returns:
            The deferred scalars by the same names.
        """
        names_by_kind: dict[tuple[Any, ...], list[str]] = {}
        for name, value in values.items():
            names_by_kind.setdefault((value.device, value.dtype), []).append(name)
        scalars = {}
        for names in names_by_kind.values():
            # stack copies: a compiled graph or the model may overwrite the tensors later.
            row = ScalarRow(torch.stack([values[n].detach().reshape(()) for n in names]))
            self._rows.append(row)
            scalars.update({name: (row, index) for index, name in enumerate(names)})
        return scalars

    def copy_to_host(self) -> None:
        """Read all pending rows, those of the same kind in one transfer: usually one in all."""
        rows_by_kind: dict[tuple[Any, ...], list[ScalarRow]] = {}
        for row in self._rows:
            kind = (row.tensor.device, row.tensor.dtype, len(row.tensor))
            rows_by_kind.setdefault(kind, []).append(row)
        for rows in rows_by_kind.values():
            values = torch.stack([row.tensor for row in rows]).tolist()
            for row, row_values in zip(rows, values, strict=True):
                row.values = row_values
        self._rows = []


class AsyncHistoryBuffer(HistoryBuffer):  # type: ignore[misc]  # MMEngine is untyped
    """MMEngine's ``HistoryBuffer``, which copies values from the device only when it is read.

    Readers get the same values to the bit, and a copy of it is of MMEngine's class. MMEngine's
    buffer copies the whole history for each new value, this one only for each read.

    Args:
        buffer: The history so far.
        scalars: The values that are still on the device.
    """

    def __init__(self, buffer: HistoryBuffer, scalars: DeviceScalars) -> None:
        super().__init__(*buffer.data, max_length=buffer.max_length)
        self._scalars = scalars
        self._pending: list[tuple[float | DeferredScalar, int]] = []  # value, count

    def update(self, log_val: float, count: int = 1) -> None:
        """Append a number."""
        if not isinstance(log_val, int | float) or not isinstance(count, int | float):
            super().update(log_val, count)  # raises MMEngine's error
        self._append(log_val, count)

    def defer(self, scalar: DeferredScalar) -> None:
        """Append a value that :meth:`DeviceScalars.add` returned."""
        self._append(scalar, 1)

    def defer_tensor(self, value: Tensor) -> None:
        """Append a value that is on the device."""
        self.defer(self._scalars.add({'': value})[''])

    def _append(self, value: float | DeferredScalar, count: int) -> None:
        self._pending.append((value, count))
        if len(self._pending) >= MAX_PENDING:
            self._read_pending()

    def _read_pending(self) -> None:
        if not self._pending:
            return
        values, counts = zip(*self._pending, strict=True)
        self._pending = []
        if any(isinstance(v, tuple) and v[0].values is None for v in values):
            self._scalars.copy_to_host()
        new = ([v[0].values[v[1]] if isinstance(v, tuple) else v for v in values], counts)
        parts = (
            np.concatenate([old, np.array(part)])[-self.max_length :]
            for old, part in zip(super().data, new, strict=True)
        )
        super().__init__(*parts, max_length=self.max_length)

    @property
    def data(self) -> Any:
        """The values and their counts."""
        self._read_pending()
        return super().data

    def current(self) -> Any:
        """Return the newest value, which MMEngine's timer reads at every step."""
        newest = self._pending[-1][0] if self._pending else None
        if isinstance(newest, float):
            return np.float64(newest)  # as MMEngine's
        self._read_pending()
        return super().current()

    def mean(self, window_size: int | None = None) -> Any:
        """Return the mean of the newest values."""
        self._read_pending()
        return super().mean(window_size)

    def max(self, window_size: int | None = None) -> Any:
        """Return the largest of the newest values."""
        self._read_pending()
        return super().max(window_size)

    def min(self, window_size: int | None = None) -> Any:
        """Return the smallest of the newest values."""
        self._read_pending()
        return super().min(window_size)

    def statistics(self, method_name: str, *arg: Any, **kwargs: Any) -> Any:
        """Return the result of a registered method."""
        self._read_pending()
        return super().statistics(method_name, *arg, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and save it as MMEngine's class, which needs no mmvitkd to load."""
        return HistoryBuffer, (*self.data, self.max_length)
