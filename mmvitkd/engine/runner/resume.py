"""Continue a run from a checkpoint, also with another batch size or number of ranks."""

import warnings
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.optim import _ParamScheduler
from mmengine.optim.scheduler import ReduceOnPlateauParamScheduler
from mmengine.runner import EpochBasedTrainLoop, Runner

from ...checkpoint.find import PARTS, newest_checkpoint
from ...utils.atomic_file import atomic_file
from ...utils.errors import KeyedValueError
from ..optimizers.optimizer_step import optim_wrappers

# Settings of the optimizer's groups that are no part of its schedule.
PARAMETERS = ('params', 'param_name')


def share_newest_checkpoint(work_dir: Path, *others: Path) -> Path | None:
    """Return the newest whole checkpoint of the first rank's work dir, the same on all ranks.

    A rank that does not see the file, as its work dir is on another machine, is sent a copy.

    Args:
        work_dir: The work dir.
        others: Other folders of its checkpoints.

    Returns:
        The file, or None if there is no checkpoint.

    Raises:
        ValueError: On all ranks, if there are some, none of which can be resumed from.
    """
    answer: list[Any] = [None, None]
    if is_main_process():
        try:
            answer[0] = newest_checkpoint(work_dir, *others)
        except ValueError as error:
            answer[1] = str(error)
    broadcast_object_list(answer)
    newest, reason = answer
    if reason is not None:
        raise ValueError(reason)
    if newest is not None:
        _send_where_missing(newest)
    return None if newest is None else Path(newest)


def _send_where_missing(file: Path) -> None:
    is_here = file.is_file()
    if all(all_gather_object(is_here)):
        return
    content = [file.read_bytes() if is_main_process() else None]
    broadcast_object_list(content)
    if not is_here and content[0] is not None:
        with atomic_file(file) as temporary:
            temporary.write_bytes(content[0])


def check_resumable(checkpoint: Mapping[str, Any], path: str, has_schedulers: bool) -> None:
    """Check that a checkpoint has what a training continues with.

    Without, the optimizer would start anew, and the warm-up with it.

    Args:
        checkpoint: The content of the file.
        path: The file.
        has_schedulers: Whether the run has schedulers, such as that of its learning rate.

    Raises:
        ValueError: If it lacks the optimizer or the schedulers; names a file that has them.
    """
    wanted = [*PARTS, *(['param_schedulers'] if has_schedulers else [])]
    lacking = [part for part in wanted if part not in checkpoint]
    if not lacking:
        return
    folder = Path(path).expanduser().parent
    try:
        whole = newest_checkpoint(folder)
    except ValueError:
        whole = None
    other = f'there is no complete one in {str(folder)!r}'
    if whole is not None and not whole.samefile(Path(path).expanduser()):
        other = f'the newest complete one is {str(whole)!r}'
    raise KeyedValueError(
        f'{{--resume}}={path!r} does not hold {" and ".join(lacking)}, as best_*.pth and those '
        f'of save_optimizer=False: a training cannot continue from it; {other}. Or start anew '
        'from its weights: load_from=FILE without --resume.',
        '--resume',
    )


class Schedule(NamedTuple):
    """The schedule of a run that has not started: of its learning rate and the like.

    Attributes:
        states: The states of the schedulers.
        groups: The settings of the optimizer's groups.
    """

    states: list[dict[str, Any]]
    groups: list[dict[str, Any]]

    @classmethod
    def of(cls, runner: Runner) -> 'Schedule':
        """Copy the schedule of a runner."""
        return cls(
            [deepcopy(scheduler.state_dict()) for scheduler in _schedulers(runner)],
            [deepcopy(_settings(group)) for group in param_groups(runner)],
        )

    def replay(self, runner: Runner, iterations: int, iters_per_epoch: int) -> None:
        """Give a runner the schedule as it is after a number of iterations.

        Raises:
            ValueError: If a scheduler depends on metrics.
        """
        for group, fresh in zip(param_groups(runner), self.groups, strict=True):
            group.update(fresh)
        schedulers = _schedulers(runner)
        for scheduler, state in zip(schedulers, self.states, strict=True):
            if isinstance(scheduler, ReduceOnPlateauParamScheduler):
                raise ValueError(
                    f'param_scheduler: {type(scheduler).__name__} depends on past metrics and '
                    'cannot be recomputed for another batch size or number of ranks.'
                )
            scheduler.load_state_dict(state)
        by_iteration = [scheduler for scheduler in schedulers if not scheduler.by_epoch]
        by_epoch = [scheduler for scheduler in schedulers if scheduler.by_epoch]
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # that the optimizer has made no step
            for iteration in range(1, iterations + 1):
                for scheduler in by_iteration:
                    scheduler.step()
                if iteration % iters_per_epoch == 0:
                    for scheduler in by_epoch:
                        scheduler.step()


def adapt_to_layout(runner: Runner, fresh: Schedule) -> bool:
    """Convert a resumed run's place and schedule to the present batch size and ranks.

    The schedule is recomputed in epochs, as if the whole run had had the present ones; the
    place in the data is kept, counted in images.

    Args:
        runner: The runner, which has loaded the checkpoint.
        fresh: Its schedule before that.

    Returns:
        Whether the schedule was recomputed: that of the config then counts.

    Raises:
        ValueError: If the place is no whole number of steps, or the loop counts iterations.
    """
    loop, hub = runner.train_loop, runner.message_hub
    now = images_per_step(runner)
    before = hub.get_info('images_per_step', now)
    length, max_epochs = len(loop.dataloader), hub.get_info('max_epochs', 0)
    old_length = hub.get_info('max_iters', 0) // max_epochs if max_epochs else length
    by_epoch = isinstance(loop, EpochBasedTrainLoop)
    if before == now and (old_length == length or not by_epoch):
        return False
    if not by_epoch:
        raise ValueError(
            f'--resume: this run counts iterations, which had {before} images, and now have '
            f'{now} (batch size x ranks); wanted {before}.'
        )
    loop._iter = _converted(runner, old_length, before, now)
    fresh.replay(runner, loop._iter, length)
    runner.logger.warning(
        f'An epoch had {old_length} iterations of {before} images, and now has {length} of '
        f'{now} (batch size x ranks): the schedule is recomputed, and continues after '
        f'iteration {loop._iter}.'
    )
    return True


def images_per_step(runner: Runner) -> int:
    """Return the number of images of an iteration on all ranks."""
    batch_sampler = runner.train_loop.dataloader.batch_sampler
    return int(getattr(batch_sampler, 'batch_size', 1)) * int(runner.world_size)


def _converted(runner: Runner, old_length: int, before: int, now: int) -> int:
    """Return how many of the present iterations the run has done."""
    loop = runner.train_loop
    old_done, length = loop.iter - loop.epoch * old_length, len(loop.dataloader)
    seen = old_done * before
    if old_done == old_length:  # the epoch's last batch may have been smaller
        done = length
    elif seen % now:
        raise ValueError(
            f'--resume: the checkpoint is from the middle of epoch {loop.epoch + 1}, after '
            f'{seen} of its images: found {now} images per iteration (batch size x ranks), '
            f'wanted {before}. Or resume from a checkpoint of the end of an epoch.'
        )
    else:
        done = min(seen // now, length)
    return int(loop.epoch * length + done)


def _schedulers(runner: Runner) -> list[_ParamScheduler]:
    schedulers = runner.param_schedulers or []
    if isinstance(schedulers, dict):
        return [each for one in schedulers.values() for each in one]
    return list(schedulers)


def param_groups(runner: Runner) -> list[dict[str, Any]]:
    """Return the parameter groups of all optimizers of a runner, which has built them."""
    # With MMEngine's own settings, which it logs as base_lr.
    wrappers = optim_wrappers(runner.optim_wrapper)
    return [group for each in wrappers for group in each.param_groups]


def _settings(group: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key not in PARAMETERS}
