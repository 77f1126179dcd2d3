"""Store numbers as they are, or as float16."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ...utils.errors import KeyedValueError
from .codec import DTYPES, Codec, Field

STORED = ('float32', 'float16')
MAX_FLOAT16 = torch.finfo(torch.float16).max  # 65504


@dataclass(frozen=True)
class Floats(Codec):
    """Store float32 exactly, or float16 with a relative error of up to 2^-11.

    Args:
        shape: The shape of one row.
        stored: 'float32' or 'float16'.
        dtype: What :meth:`decode` returns.
    """

    shape: tuple[int, ...]
    stored: str = 'float32'
    dtype: str = 'float32'

    def __post_init__(self) -> None:
        if self.stored not in STORED:
            raise KeyedValueError(
                f'{{stored}}: found {self.stored!r}, wanted one of {", ".join(STORED)}.',
                'stored',
            )
        super().__post_init__()

    @property
    def fields(self) -> tuple[Field, ...]:
        """One field: the numbers."""
        return (Field('values', DTYPES[self.stored], self.shape),)

    def _encode(self, x: Tensor) -> dict[str, Tensor]:
        if self.stored == 'float16' and (x.abs() > MAX_FLOAT16).any():
            raise ValueError(
                f'found {x.abs().max():.6g}, but float16 ends at 65504: store float32.'
            )
        return {'values': x.to(DTYPES[self.stored])}

    def _decode(self, parts: Mapping[str, Tensor]) -> Tensor:
        return parts['values']
