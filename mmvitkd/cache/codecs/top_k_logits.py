"""Store the largest logits, and spread the rest of the probability evenly."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ...utils.errors import KeyedValueError
from .codec import Codec, Field

INT16_CLASSES = 2**15 - 1
MIN_LOG = torch.finfo(torch.float16).min
# The sum of the rounded probabilities is off by up to about 1e-4, and may be above 1. What is
# left then counts as this much.
MIN_REST = 1e-6


@dataclass(frozen=True)
class TopKLogits(Codec):
    """Store K of C logits: their classes, log-probabilities in float16, and the log-sum-exp.

    Decoding returns C logits. Each of the others gets an even share of the probability that the
    K leave, at most that of the K-th. So at temperature 1 their softmax is the teacher's
    in the top K, up to rounding, and in the sum of the rest. At another temperature T, as in
    softmax(logits / T), it is that of the restored logits: the rest is still even, which is not
    quite the teacher's, and gets more weight the higher T is.

    Args:
        num_classes: The number of classes C.
        top_k: K, below C.
        dtype: What :meth:`decode` returns.
    """

    num_classes: int
    top_k: int
    dtype: str = 'float32'

    def __post_init__(self) -> None:
        if not 1 <= self.top_k < self.num_classes:
            raise KeyedValueError(
                f'{{top_k}}: found {self.top_k}, wanted 1 to {self.num_classes - 1} for '
                f'{self.num_classes} classes. Store Floats to keep all classes.',
                'top_k',
            )
        super().__post_init__()

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]  # frozen, as an attribute
        """The shape of one row: (num_classes,)."""
        return (self.num_classes,)

    @property
    def fields(self) -> tuple[Field, ...]:
        """Classes, log-probabilities (the largest first) and the log-sum-exp of all logits."""
        index = torch.int16 if self.num_classes <= INT16_CLASSES else torch.int32
        return (
            Field('lse', torch.float32, ()),
            Field('indices', index, (self.top_k,)),
            Field('values', torch.float16, (self.top_k,)),
        )

    def _encode(self, x: Tensor) -> dict[str, Tensor]:
        lse = x.logsumexp(1)
        top = x.topk(self.top_k, dim=1)
        values = (top.values - lse[:, None]).clamp(min=MIN_LOG)
        indices = top.indices.to(self.fields[1].dtype)
        return {'lse': lse, 'indices': indices, 'values': values.half()}

    def _decode(self, parts: Mapping[str, Tensor]) -> Tensor:
        values = parts['values'].float()
        rest = (1 - values.exp().sum(1, keepdim=True)).clamp(min=MIN_REST)
        share = (rest / (self.num_classes - self.top_k)).log()
        share = torch.minimum(share, values[:, -1:])  # the K-th
        logs = share.repeat(1, self.num_classes)
        return logs.scatter_(1, parts['indices'].long(), values) + parts['lse'][:, None]
