"""Let the ranks of a training agree at which step they all do something."""

import torch
import torch.distributed as dist
from torch import Tensor


class Agreement:
    """Tell every rank, at the same step, that one of them wants something.

    Ranks that decide alone, by a signal or a clock, would leave the others waiting in a
    collective. Here each step sends every rank's wish to all others, through gloo on the CPU
    and in the background, and reads what they wished at the step before. No step waits for a
    device, nor for a rank that is at the same step. Create it on all ranks together.
    """

    def __init__(self) -> None:
        self._ranks = dist.get_world_size() if dist.is_initialized() else 1
        self._group = dist.new_group(backend='gloo') if self._ranks > 1 else None
        self._sent: tuple[Tensor, dist.Work] | None = None

    def at_step(self, wish: bool) -> bool:
        """Send a wish; return whether any rank had one at the step before.

        A single rank gets its own answer at once.

        Args:
            wish: Whether this rank wants it. Repeat a wish until it is granted.
        """
        if self._ranks == 1:
            return wish
        agreed = self._received()
        flag = torch.tensor([wish], dtype=torch.uint8)
        work = dist.all_reduce(flag, dist.ReduceOp.MAX, self._group, async_op=True)
        self._sent = flag, work
        return agreed

    def now(self, wish: bool) -> bool:
        """Return whether any rank has a wish now; all ranks wait for each other."""
        return self.at_step(wish) | self._received()

    def _received(self) -> bool:
        """Return the answer to what was sent last, once it is there."""
        if self._sent is None:
            return False
        flag, work = self._sent
        work.wait()
        self._sent = None
        return bool(flag)
