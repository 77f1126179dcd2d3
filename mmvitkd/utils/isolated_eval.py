"""Run code without affecting the state of a training."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from . import random_state


@contextmanager
def isolated_eval(device: torch.device, seed: int) -> Iterator[None]:
    """Run without gradients, autocast and compilation, and restore all global state after.

    The generators of Python, numpy and torch are seeded inside, so that random numbers are the
    same every time. Deterministic algorithms are not required inside, as ``cumsum`` on CUDA
    has none. Nothing runs compiled, as these settings and this batch size would trigger another
    compilation.

    Args:
        device: The device of the training.
        seed: The seed of the generators.
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
