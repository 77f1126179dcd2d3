"""Build the candidates, check that they do the work they claim, and warm them up."""

import time
from collections.abc import Callable, Mapping

import torch
from bare_loop import BareLoop
from candidates import BF16, ENTRIES, Candidate, Entry
from timing import seconds_of, synchronize
from training_pair import TrainingPair


class Workers:
    """Builds candidates one after the other, and records the reasons of those that fail.

    Args:
        pair: The pair to train.
        warm_up: Warm-up steps of each, 1 or more, which include compilation.

    Attributes:
        ready: The candidates that work.
        failed: The reasons why others do not.
        expected: The terms of the bare loop's loss of the batch before the first step, by hand.
        expected_stored: The same with what a cache keeps of the teacher's outputs.
        losses: The loss of the batch before the first step.
        warm_up_seconds: From the first loss to the last step of the warm-up.
        peaks: Peak bytes on the GPU in a step, without those of earlier candidates.
    """

    def __init__(self, pair: TrainingPair, warm_up: int) -> None:
        self.pair, self.warm_up = pair, warm_up
        self.ready: dict[str, Candidate] = {}
        self.failed: dict[str, str] = {}
        self.losses: dict[str, float] = {}
        self.warm_up_seconds: dict[str, float] = {}
        self.peaks: dict[str, int] = {}
        bare = BareLoop(pair)
        self.expected = _terms(bare)
        bare.stored = True
        self.expected_stored = _terms(bare)

    def add(self, name: str) -> None:
        """Build a candidate, compare its loss, warm it up.

        Raises:
            SystemExit: If its loss does not match the work that it claims to do.
        """
        on_gpu = self.pair.device.type == 'cuda'
        before = torch.cuda.memory_allocated() if on_gpu else 0
        try:
            candidate = ENTRIES[name].build(self.pair)
            start = time.perf_counter()
            torch.manual_seed(0)
            loss = candidate.loss()
            expected = self.expected_stored if ENTRIES[name].stored else self.expected
            check_loss(name, ENTRIES[name], loss, expected, self.pair.dtype)
            for _ in range(self.warm_up):
                if on_gpu:
                    torch.cuda.reset_peak_memory_stats()
                candidate.step(candidate.batch())
            synchronize()
        except Exception as error:
            self.failed[name] = (
                f'{type(error).__name__}: {(str(error).splitlines() or [""])[0]}'
            )
            print(f'{name}: failed: {self.failed[name]}', flush=True)
            return
        self.ready[name], self.losses[name] = candidate, loss
        self.warm_up_seconds[name] = time.perf_counter() - start
        if on_gpu:
            self.peaks[name] = torch.cuda.max_memory_allocated() - before
        warm_up = f'warm-up {self.warm_up_seconds[name]:.1f} s'
        print(f'{name}: loss {loss:.6f}, {warm_up}', flush=True)


def _terms(bare: BareLoop) -> dict[str, float]:
    """Return the terms of the bare loop's loss."""
    torch.manual_seed(0)
    return {name: term.item() for name, term in bare.losses(bare.batch()).items()}


def check_loss(
    name: str, entry: Entry, loss: float, expected: Mapping[str, float], dtype: str
) -> None:
    """Check a candidate's loss against the terms of the bare loop that it claims to compute.

    Args:
        name: The candidate's name.
        entry: The candidate.
        loss: Its loss of the batch.
        expected: The bare loop's terms of the same batch.
        dtype: 'fp32', or 'bf16', which rounds more.

    Raises:
        SystemExit: If they differ, so that the times cannot be compared.
    """
    if entry.terms == ():
        return
    terms = expected if entry.terms is None else entry.terms
    wanted = sum(expected[term] for term in terms if term in expected)
    tolerance = BF16 if dtype == 'bf16' else entry.tolerance
    if not abs(loss - wanted) <= tolerance * abs(wanted):
        raise SystemExit(
            f'{name}: its loss is {loss:.6g}, that of the bare loop {wanted:.6g} '
            f'({" + ".join(terms)}): not the same work, so the times cannot be compared. '
            f'Allowed: {tolerance:g} of it.'
        )


def seconds_of_steps(
    candidate: Candidate, steps: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the mean seconds of a step over several steps, with batches made beforehand."""
    batches = [candidate.batch() for _ in range(steps)]

    def run() -> None:
        for batch in batches:
            candidate.step(batch)

    return seconds_of(run, clock=clock) / steps
