"""Seed, save and restore the random number generators of a process."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler


def seed_everything(*keys: int) -> None:
    """Seed Python, numpy and torch (all devices) from a sequence of integers.

    Args:
        keys: For example (seed, rank, worker, epoch). Every combination gives a different
            random stream.
    """
    torch.manual_seed(seed_cpu(*keys))


def seed_cpu(*keys: int) -> int:
    """Seed Python, numpy and torch's generator of the CPU; return torch's seed.

    This takes a fifth of the time of :func:`seed_everything`.
    """
    # The number of keys is hashed, too: SeedSequence treats (1, 2) and (1, 2, 0) alike.
    words = np.random.SeedSequence([len(keys), *keys]).generate_state(8)
    random.seed(words[:4].tobytes())
    np.random.seed(words)
    seed = int(words[4]) << 32 | int(words[5])
    torch.default_generator.manual_seed(seed)
    return seed


@contextmanager
def seeded(*keys: int) -> Iterator[None]:
    """Seed Python, numpy and torch's generator of the CPU; restore their states at the end."""
    states = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
    try:
        seed_cpu(*keys)
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.default_generator.set_state(states[2])


def seed_worker(
    worker_id: int, seed: int, rank: int, epoch: int, sampler: Sampler[int] | None = None
) -> None:
    """Seed a data loader's worker; bind all but ``worker_id`` to use it as ``worker_init_fn``.

    The sampler's epoch is part of the seed, as the run's stays 0 in an iteration-based run.
    """
    seed_everything(seed, rank, worker_id, epoch, getattr(sampler, 'epoch', 0))


def get_state() -> dict[str, Any]:
    """Return the state of this process's generators, as tensors and plain values."""
    version, words, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state()
    state = {
        'python': [version, torch.tensor(words), gauss],
        'numpy': [torch.tensor(np.asarray(keys, np.int64)), position, has_gauss, cached],
        'torch': torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_state(state: dict[str, Any]) -> None:
    """Restore the generators of this process to a state of :func:`get_state`."""
    version, words, gauss = state['python']
    random.setstate((version, tuple(words.tolist()), gauss))
    keys, *rest = state['numpy']
    np.random.set_state(('MT19937', keys.cpu().numpy().astype(np.uint32), *rest))
    torch.set_rng_state(_bytes(state['torch']))
    if torch.cuda.is_available() and 'cuda' in state:
        torch.cuda.set_rng_state(_bytes(state['cuda']))


@contextmanager
def preserved() -> Iterator[None]:
    """Restore the generators of this process at the end."""
    state = get_state()
    try:
        yield
    finally:
        set_state(state)


def _bytes(state: Tensor) -> Tensor:
    """Return a generator's state on the CPU: a loaded checkpoint may be on a GPU."""
    return state.cpu().to(torch.uint8)
