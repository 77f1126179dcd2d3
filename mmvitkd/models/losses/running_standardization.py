"""RunningStandardization: give every channel of a target a mean of 0 and a variance of 1."""

from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn


class RunningStandardization(nn.Module):  # type: ignore[misc]  # torch is not followed
    """Standardise channels by running statistics, the same in all processes.

    A batch in training first updates them: the mean of what was seen until then, which passes
    into an exponential average once ``1 / batches`` is below ``momentum``. Unlike BatchNorm,
    a target does not depend on the batch that it is in, as soon as the statistics are stable.
    In eval mode nothing is updated; before the first batch, the batch's own are used.

    Args:
        momentum: The least weight of a new batch.
        eps: Added to the variance.

    Attributes:
        mean: (C,), of the first batch's width; empty before it.
        var: The same.
        batches: How many were seen.
    """

    mean: Tensor
    var: Tensor
    batches: Tensor

    def __init__(self, momentum: float = 0.01, eps: float = 1e-6) -> None:
        super().__init__()
        if not 0 < momentum <= 1:
            raise ValueError(f'momentum={momentum!r}: wanted more than 0 and at most 1.')
        self.momentum, self.eps = momentum, eps
        self.register_buffer('mean', torch.zeros(0))
        self.register_buffer('var', torch.zeros(0))
        self.register_buffer('batches', torch.zeros((), dtype=torch.long))

    @torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not followed
    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens (B, N, C) with standardised channels, without gradient."""
        if not self.mean.numel():
            self.mean, self.var = (tokens.new_zeros(tokens.shape[2]) for _ in range(2))
        if not self.training:
            return self.without_update(tokens)
        self._update(*_moments_of_all(tokens))
        return self._standardized(tokens, self.mean, self.var)

    @torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not followed
    def without_update(self, tokens: Tensor) -> Tensor:
        """Standardise tokens (B, N, C) by what was seen, or else by their own moments."""
        seen, own = self.batches > 0, _moments(tokens)
        known = (self.mean, self.var) if self.mean.numel() else own
        moments = (torch.where(seen, a, b) for a, b in zip(known, own, strict=True))
        return self._standardized(tokens, *moments)

    def _standardized(self, tokens: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        return (tokens - mean) / (var + self.eps).sqrt()

    def _update(self, mean: Tensor, var: Tensor) -> None:
        """Average with what was seen; the variance includes that of the means."""
        self.batches += 1
        weight = (1 / self.batches.to(mean.dtype)).clamp_min(self.momentum)
        shift = mean - self.mean
        self.var += weight * (var - self.var) + weight * (1 - weight) * shift.square()
        self.mean += weight * shift

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *args: Any
    ) -> None:
        """Load statistics of any width."""
        for name in ('mean', 'var'):
            if (saved := state_dict.get(f'{prefix}{name}')) is not None:
                setattr(self, name, torch.zeros_like(saved, device=self.batches.device))
        super()._load_from_state_dict(state_dict, prefix, *args)


def _moments(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and variance of each channel (C,)."""
    return tokens.mean((0, 1)), tokens.var((0, 1), unbiased=False)


def _moments_of_all(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return the moments over the batches of all processes, which are of one size."""
    own_mean, var = _moments(tokens)
    mean = own_mean.clone()
    all_reduce(mean, 'mean')
    var = var + (own_mean - mean).square()
    all_reduce(var, 'mean')
    return mean, var
