"""Pack the encoded tensors of a view into a row of bytes."""

from collections.abc import Iterable, Mapping
from math import prod

import torch
from torch import Tensor

from ..utils.errors import listed
from .codecs import Codec, Field

ALIGNMENT = 4  # bytes: the largest item


class RowLayout:
    """Say where each field of each tensor lies in a row.

    The fields with the largest items come first, so that all are aligned; a row is padded to a
    multiple of 4 bytes.

    Args:
        codecs: How each tensor is encoded, by its name.

    Attributes:
        codecs: The same.
        row_bytes: The bytes of a row.
    """

    def __init__(self, codecs: Mapping[str, Codec]) -> None:
        self.codecs = dict(codecs)
        fields = [(name, field) for name, codec in codecs.items() for field in codec.fields]
        fields.sort(key=lambda named: -named[1].dtype.itemsize)
        self._slots: list[tuple[str, Field, slice]] = []
        end = 0
        for name, field in fields:
            start, end = end, end + prod(field.shape) * field.dtype.itemsize
            self._slots.append((name, field, slice(start, end)))
        self._padding = -end % ALIGNMENT
        self.row_bytes = end + self._padding

    def encode(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """Encode and pack the tensors of a batch.

        Args:
            tensors: (B, *shape) each, by name, on one device; exactly those of ``codecs``.

        Returns:
            (B, row_bytes), uint8, on the CPU.

        Raises:
            ValueError: If a tensor is missing or unknown, or cannot be encoded; names it.
        """
        if different := sorted(tensors.keys() ^ self.codecs.keys()):
            raise ValueError(
                f'found the tensors {", ".join(tensors)}, wanted {", ".join(self.codecs)}: '
                f'they differ in {listed(different)}.'
            )
        encoded = {}
        for name, codec in self.codecs.items():
            try:
                encoded[name] = codec.encode(tensors[name])
            except ValueError as error:
                raise ValueError(f'{name}: {error}') from error
        return self.pack(encoded)

    def pack(self, encoded: Mapping[str, Mapping[str, Tensor]]) -> Tensor:
        """Return the rows of what the codecs returned.

        Args:
            encoded: The fields (B, *field.shape) of each tensor, on one device.

        Returns:
            (B, row_bytes), uint8, on the CPU.
        """
        parts = []
        for name, field, _ in self._slots:
            part = encoded[name][field.name]
            parts.append(part.reshape(len(part), prod(field.shape)).view(torch.uint8))
        if self._padding:
            parts.append(parts[0].new_zeros(len(parts[0]), self._padding))
        return torch.cat(parts, dim=1).cpu()  # one copy from the device

    def unpack(self, buffer: Tensor, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Return the decoded tensors of rows.

        Args:
            buffer: (B, row_bytes), uint8, on any device.
            names: The tensors that are decoded; None for all.

        Returns:
            (B, *shape) each, by name, on the same device.

        Raises:
            ValueError: If the buffer has another shape.
        """
        if buffer.dim() != 2 or buffer.shape[1] != self.row_bytes:
            raise ValueError(
                f'found {tuple(buffer.shape)}, wanted (B, {self.row_bytes}) bytes.'
            )
        encoded: dict[str, dict[str, Tensor]] = {name: {} for name in self.codecs}
        for name, field, place in self._slots:
            part = buffer[:, place].view(field.dtype)
            encoded[name][field.name] = part.reshape(len(buffer), *field.shape)
        names = self.codecs if names is None else names
        return {name: self.codecs[name].decode(encoded[name]) for name in names}
