"""End a run that hangs, and say which rank hangs where."""

import math
import multiprocessing
import os
import sys
import threading
import traceback
import weakref
from types import FrameType
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...registry import HOOKS
from ...utils.errors import KeyedValueError
from ...utils.heartbeats import Beat, Heartbeats, find_stuck

EXIT_CODE = os.EX_SOFTWARE  # 70
# Beats in a timeout: one in 10 seconds, or 10 of them.
SECONDS, BEATS = 10.0, 10
# The others' beats are read with so many left, and compared and reported with one left.
COMPARED = 4
LAST_RESORT = 60.0  # seconds
RUNS = {method.__code__ for method in (Runner.train, Runner.val, Runner.test)}


@HOOKS.register_module()
class WatchdogHook(Hook):  # type: ignore[misc]  # MMEngine is untyped
    """End a run in which nothing has happened for some time, with exit code 70.

    Signs of life are the beginning and the end of each iteration of training, validation and
    test, and the beginning of a checkpoint. A thread tells them to the other ranks through the
    store of the process group, so that a rank that waits in a collective can name the one that
    is missing there. The log gets that name, and what each thread of the process is doing. Time
    during which all ranks were stopped, as by ``scontrol suspend``, does not count.

    ``env_cfg.dist_cfg.timeout`` should be longer, or the collectives fail first.

    Args:
        timeout: Seconds without a sign of life until the run ends. More than the longest
            compilation, and the longest hook between two iterations. None to never end it.

    Raises:
        KeyedValueError: If the timeout is not above 0.
    """

    priority = 'VERY_HIGH'  # before other hooks, which may be what hangs

    def __init__(self, timeout: float | None = 900.0) -> None:
        if timeout is not None and timeout <= 0:
            raise KeyedValueError(f'{{timeout}}={timeout}: wanted seconds above 0.', 'timeout')
        self.timeout = timeout
        self._life = (0, 'before the first iteration')
        self._ended = threading.Event()

    def before_run(self, runner: Runner) -> None:
        """Start watching."""
        if self.timeout is not None:
            self._ended = threading.Event()
            run = threading.get_ident(), weakref.ref(runner)
            arguments = (self.timeout, self._ended, *run)
            threading.Thread(target=self._watch, args=arguments, daemon=True).start()

    def after_run(self, runner: Runner) -> None:
        """Stop watching."""
        self._ended.set()

    def _before_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, mode: str = 'train'
    ) -> None:
        """Note that a batch is there."""
        number = runner.iter if mode == 'train' else batch_idx
        self._note(f'in {mode} iteration {number + 1}')

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
        mode: str = 'train',
    ) -> None:
        """Note that a step is done."""
        number = runner.iter if mode == 'train' else batch_idx
        self._note(f'in a hook or the data loader after {mode} iteration {number + 1}')

    def before_checkpoint(self, runner: Runner) -> None:
        """Note that our ``CheckpointHook`` writes."""
        self._note(f'at the checkpoint of iteration {runner.iter}')

    def _note(self, place: str) -> None:
        self._life = (self._life[0] + 1, place)

    def _watch(
        self,
        timeout: float,
        ended: threading.Event,
        thread: int,
        runner: weakref.ReferenceType[Runner],
    ) -> None:
        """Beat, and end the process after a timeout without a sign of life."""
        beats = Heartbeats()
        count = max(BEATS, math.ceil(timeout / SECONDS))
        interval = timeout / count
        # Beats and no clock, which goes on while the process is stopped.
        left, seen = count, self._life
        earlier: dict[int, Beat | None] = {}
        while True:
            beats.beat(*self._life)
            if ended.wait(interval):
                return
            life, left = self._life, left - 1
            if life is not seen:
                left, seen = count, life
            elif left == COMPARED:
                earlier = beats.read()
            elif left == 1:
                break
        active = runner()
        if active is None or not _is_running(thread, active):
            return  # it ended with an exception
        # In case that the store or the log hangs, too.
        threading.Timer(LAST_RESORT, os._exit, [EXIT_CODE]).start()
        stuck = find_stuck(earlier, beats.read())
        active.logger.error(
            f'Rank {beats.rank}: no progress for {timeout:g} s. {stuck} Exit code {EXIT_CODE}; '
            f'the same command with --resume goes on.\n{_stacks()}'
        )
        beats.beat(*self._life, ending=True)
        ended.wait(interval)  # for the reports of other ranks
        for worker in multiprocessing.active_children():  # it may hang, too
            worker.kill()
        os._exit(EXIT_CODE)  # nothing that hangs can stop this


def _is_running(thread: int, runner: Runner) -> bool:
    """Return whether a thread is still in a method that runs a runner."""
    frame: FrameType | None = sys._current_frames().get(thread)
    while frame is not None:
        if frame.f_code in RUNS and frame.f_locals.get('self') is runner:
            return True
        frame = frame.f_back
    return False


def _stacks() -> str:
    """Return what each thread is doing."""
    frames = sys._current_frames()
    return '\n'.join(
        f'Thread {thread.name}:\n{"".join(traceback.format_stack(frames[thread.ident]))}'
        for thread in threading.enumerate()
        if thread.ident in frames
    )
