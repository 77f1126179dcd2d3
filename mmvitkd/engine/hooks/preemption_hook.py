"""Save a checkpoint and leave when the scheduler or the user asks a training to stop."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn

from mmengine.dist import barrier
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ...registry import HOOKS
from ..optimizers.optimizer_step import is_optimizer_step
from ..runner.agreement import Agreement
from ..runner.launch import PREEMPTED
from ..runner.loops import ResumableLoop
from .checkpoint_hook import CheckpointHook


class TrainingPreempted(SystemExit):
    """Ends a process that was asked to stop, after its checkpoint is written."""


@HOOKS.register_module()
class PreemptionHook(Hook):  # type: ignore[misc]  # MMEngine is untyped
    """Finish the step on a signal, write a checkpoint, and leave with exit code 75.

    A single process stops after the step at which the signal arrives, several after the next
    one, all of them at the same (:class:`~mmvitkd.engine.runner.agreement.Agreement`); where
    gradients are accumulated, after the optimizer's next step. A validation that has begun is
    finished, except by a single process that has saved its epoch: the resumed run repeats it.
    A second Ctrl-C does what it did before the training: it leaves or interrupts at once.

    It needs our ``CheckpointHook``, ``Runner`` and loops.

    Args:
        signals: The names of the signals. Slurm sends the one of its ``--signal``, and SIGTERM
            when time is up; torchrun sends SIGTERM.
    """

    priority = 'LOWEST'  # after the checkpoint, which comes after everything else

    def __init__(self, signals: Sequence[str] = ('SIGTERM', 'SIGUSR1', 'SIGINT')) -> None:
        known = signal.Signals.__members__
        for name in signals:
            if name not in known:
                raise ValueError(
                    f'PreemptionHook.signals: {name!r} is no signal of this system; wanted '
                    "names such as 'SIGTERM'."
                )
        self._signals = [known[name] for name in signals]
        self._old: dict[signal.Signals, Any] = {}
        self._received: signal.Signals | None = None
        self._is_agreed = False
        self._agreement: Agreement | None = None

    def before_run(self, runner: Runner) -> None:
        """Let workers outlast the signals, before any hook starts some."""
        if isinstance(runner._train_loop, ResumableLoop):  # built, as it is to train
            for loop in filter(None, (runner.train_loop, runner.val_loop)):
                _protect_workers(loop.dataloader, self._heeded())

    def before_train(self, runner: Runner) -> None:
        """Take over the signals."""
        hooks = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
        if not hooks or not isinstance(runner.train_loop, ResumableLoop):
            runner.logger.warning(
                'PreemptionHook: a signal ends this run without a checkpoint: wanted '
                "default_hooks.checkpoint=dict(type='mmvitkd.CheckpointHook') and "
                "mmvitkd's Runner and loops."
            )
            return
        self._checkpoints, self._agreement = hooks[0], Agreement()
        self._received, self._is_agreed = None, False
        self._process = os.getpid()
        self._old = {each: signal.signal(each, self._receive) for each in self._heeded()}

    def before_train_epoch(self, runner: Runner) -> None:
        """Do it again, as ``RandomStateHook`` replaces what a worker does first."""
        _protect_workers(runner.train_dataloader, tuple(self._old))

    def close(self, runner: Runner) -> None:
        """Give the signals back, however training ended."""
        for each, handler in self._old.items():
            signal.signal(each, handler)
        self._old, self._agreement, self._received = {}, None, None

    def _heeded(self) -> tuple[signal.Signals, ...]:
        """Return the signals that are not ignored, as SIGINT is for `... &` in a script."""
        if threading.current_thread() is not threading.main_thread():
            return ()  # which alone may take signals
        return tuple(s for s in self._signals if signal.getsignal(s) is not signal.SIG_IGN)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        """Remember a signal."""
        if os.getpid() != self._process:
            return  # a worker that has just been forked
        before = self._old.get(signal.SIGINT)
        if self._received == number == signal.SIGINT and callable(before):
            before(number, frame)
        self._received = signal.Signals(number)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Save and leave, if all ranks know and the optimizer has used all gradients."""
        if self._agreement is None:
            return
        self._is_agreed |= self._agreement.at_step(self._received is not None)
        if self._is_agreed and is_optimizer_step(runner):
            self._checkpoints.save_after_iter(runner)
            self._leave(runner, runner.iter + 1)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Leave a validation that a resumed run will repeat; several ranks finish it."""
        if self._received is None or runner.world_size > 1 or not is_optimizer_step(runner):
            return
        if self._checkpoints.is_saved(runner.epoch, runner.iter):
            self._leave(runner, runner.iter)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Save and leave after a validation."""
        if self._agreement is None:  # runner.val() without a training
            return
        self._is_agreed |= self._agreement.now(self._received is not None)
        if self._is_agreed and is_optimizer_step(runner):
            self._checkpoints.save_after_val(runner)
            self._leave(runner, runner.iter)

    def _leave(self, runner: Runner, iteration: int) -> NoReturn:
        barrier()  # rank 0 may still write, and a launcher kills the others when one has left
        reason = self._received.name if self._received else 'A signal to another rank'
        last = self._checkpoints.last_ckpt
        runner.logger.warning(
            f'{reason}: stopped after iteration {iteration} of {runner.max_iters}, saved as '
            f'{last}. The same command with --resume, and no file, continues from there.'
        )
        raise TrainingPreempted(PREEMPTED)


def _protect_workers(loader: DataLoader[Any], signals: Sequence[signal.Signals]) -> None:
    """Let the workers of a loader outlast signals, once their own handlers are set."""
    if signals and not isinstance(loader.worker_init_fn, _Outlasting):
        loader.worker_init_fn = _Outlasting(loader.worker_init_fn, signals)


class _Outlasting:
    """A ``worker_init_fn`` that lets a worker go on when its group or job gets a signal.

    PyTorch's own handler of SIGTERM ends the worker, and so the training, unless the signal
    comes from the training itself.
    """

    def __init__(self, init: Callable[[int], None] | None, signals: Sequence[int]) -> None:
        self._init, self._signals = init, signals

    def __call__(self, worker_id: int) -> None:
        for number in self._signals:
            if number != signal.SIGTERM:
                signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        threading.Thread(target=_end_for, args=(os.getppid(),), daemon=True).start()
        if self._init is not None:
            self._init(worker_id)


def _end_for(parent: int) -> None:
    """Wait for signals to end, and obey that of the parent."""
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != parent:
        pass
    os._exit(0)
