"""Define a codec: a batch of tensors as fields of fixed size, and back."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...utils.errors import KeyedValueError

DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


class Field(NamedTuple):
    """A part of an encoded tensor.

    Attributes:
        name: Its key in what :meth:`Codec.encode` returns.
        dtype: How it is stored.
        shape: The shape of one row, () for one number.
    """

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]


class Codec(ABC):
    """Encode the tensors of a batch, each row on its own. A subclass is a frozen dataclass.

    Attributes:
        shape: The shape of one row.
        dtype: What :meth:`decode` returns: 'float32', 'bfloat16' or 'float16'. What is encoded
            may have any floating type.
    """

    shape: tuple[int, ...]
    dtype: str

    @property
    @abstractmethod
    def fields(self) -> tuple[Field, ...]:
        """The parts that a row is stored as."""

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            wanted = ', '.join(DTYPES)
            raise KeyedValueError(
                f'{{dtype}}: found {self.dtype!r}, wanted one of {wanted}.', 'dtype'
            )
        if not self.shape or min(self.shape) < 1:
            raise KeyedValueError(
                f'{{shape}}: found {self.shape}, wanted sizes of 1 or more.', 'shape'
            )

    def encode(self, x: Tensor) -> dict[str, Tensor]:
        """Return the fields of a batch.

        Args:
            x: (B, *shape), of any floating type, on any device.

        Returns:
            One tensor (B, *field.shape) a field, on the same device.

        Raises:
            ValueError: If the shape is another, or a number is NaN, infinite or too large.
        """
        if tuple(x.shape[1:]) != self.shape:
            wanted = ', '.join(map(str, ('B', *self.shape)))
            raise ValueError(f'found shape {tuple(x.shape)}, wanted ({wanted}).')
        x = x.detach().float()
        if not x.isfinite().all():
            wrong = int((~x.isfinite()).sum())
            raise ValueError(f'{wrong:,} of {x.numel():,} numbers are NaN or infinite.')
        with torch.autocast(x.device.type, enabled=False):
            return self._encode(x)

    def decode(self, parts: Mapping[str, Tensor]) -> Tensor:
        """Return the tensors of a batch.

        Args:
            parts: The fields by name, as :meth:`encode` returns them, on one device.

        Returns:
            (B, *shape) of type ``dtype``, on the same device.
        """
        device = next(iter(parts.values())).device
        with torch.autocast(device.type, enabled=False):
            return self._decode(parts).to(DTYPES[self.dtype]).contiguous()

    def to_dict(self) -> dict[str, Any]:
        """Return the codec as JSON has it; see :func:`codec_from_dict`."""
        values = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}
        return {'type': type(self).__name__, **values}

    @abstractmethod
    def _encode(self, x: Tensor) -> dict[str, Tensor]:
        """Encode finite float32 numbers (B, *shape)."""

    @abstractmethod
    def _decode(self, parts: Mapping[str, Tensor]) -> Tensor:
        """Return (B, *shape), of any floating type."""
