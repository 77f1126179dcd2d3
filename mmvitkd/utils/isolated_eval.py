"""Something computed in the midst of a training that goes on as if it had not been."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from . import random_state


@contextmanager
def isolated_eval(device: torch.device, seed: int) -> Iterator[None]:
    """A context without gradients and autocast, after which everything is as before.

    The generators of Python, numpy and torch are seeded in it, so that what draws numbers
    draws the same every time, and put back after it. Algorithms need not be deterministic
    in it: a cumulated sum on CUDA has none that is. Nothing runs compiled: these settings
    and the size of the batch would be compiled for.

    Args:
        device: Where the training computes.
        seed: Of the generators.
    """
    state = random_state.get_state()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        random_state.seed_everything(seed)
        torch.use_deterministic_algorithms(False)
        with (
            torch.no_grad(),
            torch.autocast(device.type, enabled=False),
            torch.compiler.set_stance('force_eager'),
        ):
            yield
    finally:
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        random_state.set_state(state)
