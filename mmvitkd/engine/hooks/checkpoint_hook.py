"""Write checkpoints of plain data, with everything that an exact resume needs."""

import os.path as osp
import re
import time
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar

from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import CheckpointHook as _CheckpointHook
from mmengine.runner import Runner

from ...checkpoint import atomic_backend  # noqa: F401  (registers atomic writing of files)
from ...checkpoint.find import LAST
from ...checkpoint.serialize import history_buffers, to_plain
from ...registry import HOOKS
from ...utils import random_state
from ...utils.atomic_file import atomic_file
from ...utils.disk_full import report_disk_full
from ..optimizers.optimizer_step import is_optimizer_step
from ..runner.agreement import Agreement
from ..runner.resume import images_per_step

SECONDS = {'s': 1, 'min': 60, 'h': 3600}


def seconds_of(every: str) -> float:
    """Return the seconds of a text such as '30min', '2h' or '90s'.

    Raises:
        ValueError: If it is another text.
    """
    found = (
        re.fullmatch(r'(\d+(?:\.\d+)?) ?(s|min|h)', every) if isinstance(every, str) else None
    )
    if found is None or float(found[1]) == 0:
        raise ValueError(
            f"default_hooks.checkpoint.every={every!r}: wanted a time such as '30min', '2h' or "
            "'90s'."
        )
    return float(found[1]) * SECONDS[found[2]]


@HOOKS.register_module()
class CheckpointHook(_CheckpointHook):  # type: ignore[misc]  # MMEngine is untyped
    """MMEngine's ``CheckpointHook``, whose files survive an interruption at any moment.

    Every file loads with ``torch.load(file, weights_only=True)``; MMEngine's hold pickled log
    buffers, which torch >= 2.6 refuses (MMEngine issue 1655). It holds each rank's random
    state, and is written again after the validation of its epoch, whose result a resumed run
    would otherwise miss. A new file is complete under its final name before
    ``last_checkpoint`` names it, and old ones are deleted after that. Files are named relative
    to their folder: a run that was copied or resumed elsewhere does not touch the old files.

    Args:
        keep_every: Checkpoints of every so many epochs (or iterations, if not ``by_epoch``)
            are never deleted and do not count among ``max_keep_ckpts``, such as 30 to follow a
            training afterwards (``tools/analysis_tools/training_dynamics.py``).
        every: Also write a checkpoint in the middle of an epoch when this much time has passed
            since the last one, such as ``'30min'``. The next checkpoint replaces it.
        kwargs: Arguments of MMEngine's hook.

    Raises:
        ValueError: If ``every`` is no time, ``keep_every`` is below 1, or an argument is
            unknown.
    """

    # What save_best takes for better without a `rule`.
    _default_greater_keys: ClassVar[list[str]] = [
        *_CheckpointHook._default_greater_keys,
        'r2',
    ]
    _default_less_keys: ClassVar[list[str]] = [
        *_CheckpointHook._default_less_keys,
        'rel_error',
    ]

    last_ckpt: str | None
    best_ckpt_path: str | None
    _random_states: list[dict[str, Any]] | None = None
    _is_validated = False
    _is_warned = False
    _saved_place: tuple[int, int] | None = None  # epochs and iterations that were done
    _is_due = False  # a checkpoint by iterations, at the optimizer's next step
    _due: Agreement | None = None  # on a checkpoint by time

    def __init__(
        self,
        *args: Any,
        keep_every: int | None = None,
        every: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if keep_every is not None and keep_every < 1:
            raise ValueError(
                f'default_hooks.checkpoint.keep_every={keep_every}: wanted 1 or more.'
            )
        self.keep_every = keep_every
        self.every = None if every is None else seconds_of(every)
        unknown = self.args.keys() - signature(Runner.save_checkpoint).parameters.keys()
        if unknown:
            raise ValueError(
                f'default_hooks.checkpoint: unknown key {min(unknown)!r}; wanted an argument '
                'of CheckpointHook or of Runner.save_checkpoint.'
            )
        self._obsolete: list[str] = []  # to delete after the next file is written
        self._temporary: str | None = None  # the newest file, if the next one replaces it

    # Content ------------------------------------------------------------------------------

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add what resuming needs, then turn everything into plain data, in place."""
        if self._random_states is not None:  # else a script called runner.save_checkpoint
            checkpoint['random_states'] = self._random_states
            checkpoint['validated'] = self._is_validated
            checkpoint['files'] = dict(obsolete=self._obsolete, temporary=self._temporary)
        for state in _states(checkpoint.get('param_schedulers', ())):
            for key in [key for key, value in state.items() if callable(value)]:
                del state[key]  # OneCycleLR's; building the scheduler makes it again
        checkpoint.update(to_plain(checkpoint))
        info = checkpoint['message_hub']['runtime_info']
        for key in _path_keys(info):
            info[key] = osp.basename(info[key])

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Rebuild MMEngine's log buffers and the paths, in place."""
        hub = checkpoint.get('message_hub')
        if hub is None:
            return
        hub['log_scalars'] = history_buffers(hub['log_scalars'])
        info, folder = hub['runtime_info'], self.folder(runner)
        info['cfg'] = runner.cfg.pretty_text  # instead of another's, which MMRazor may execute
        resumed = getattr(runner, 'resumed_from', None) or runner._load_from
        is_ours = resumed is None or _is_same(osp.dirname(osp.abspath(resumed)), folder)
        for key in _path_keys(info):
            info[key] = osp.join(folder, osp.basename(info[key]))
            if not is_ours or not osp.exists(info[key]):
                # MMEngine would delete that file once this run has a better one.
                del info[key]
                hub['resumed_keys'].pop(key, None)
        if runner._resume and is_ours:
            files = checkpoint.get('files') or {}
            self._obsolete = list(files.get('obsolete', ()))
            self._temporary = files.get('temporary')
            if resumed is not None:
                self.last_ckpt = osp.join(folder, osp.basename(resumed))
                self._saved_place = checkpoint['meta']['epoch'], checkpoint['meta']['iter']

    def folder(self, runner: Runner) -> str:
        """Return the folder of checkpoints, as MMEngine composes it when training starts."""
        folder: str = runner.work_dir
        if self.out_dir in (None, folder):
            return folder
        if hasattr(self, 'file_backend'):  # training has started
            return str(self.out_dir)
        return osp.join(self.out_dir, osp.basename(folder.rstrip(osp.sep)))

    # When to write -------------------------------------------------------------------------

    def before_train(self, runner: Runner) -> None:
        """Find the folder; delete what an interrupted run was about to delete."""
        super().before_train(runner)
        self._delete_obsolete(runner)
        # A resumed run compares it with its own.
        runner.message_hub.update_info('images_per_step', images_per_step(runner))
        if self.every is not None:
            self._due, self._saved_at = Agreement(), time.monotonic()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write a checkpoint if its iteration, or its time, has come."""
        if not self.by_epoch:
            self._is_due |= self.every_n_train_iters(runner, self.interval, self.save_begin)
            is_last = self.save_last and self.is_last_train_iter(runner)
            if is_last or (self._is_due and is_optimizer_step(runner)):
                self._is_due = False
                runner.logger.info(f'Saving checkpoint at {runner.iter + 1} iterations')
                self._save_checkpoint(runner)
        if self._due is None or self.every is None:
            return
        # The clock of the first rank decides: those of others differ.
        elapsed = time.monotonic() - self._saved_at
        due = self._due.at_step(is_main_process() and elapsed >= self.every)
        if due and is_optimizer_step(runner):
            self.save_after_iter(runner)
            self._due.now(False)  # forget the wish that was repeated at this step

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best checkpoint, and add the validation result to the newest one."""
        super().after_val_epoch(runner, metrics)
        if not self.is_saved(runner.epoch, runner.iter):
            self._delete_obsolete(runner)
            return
        name = osp.basename(self.last_ckpt or '')
        meta = dict(epoch=runner.epoch, iter=runner.iter)
        self._save(runner, name, meta, name == self._temporary, is_validated=True)

    def save_after_iter(self, runner: Runner) -> None:
        """Write a checkpoint at the end of an iteration that the next one replaces."""
        self._save_temporary(runner, runner.epoch, runner.iter + 1)

    def save_after_val(self, runner: Runner) -> None:
        """Write a checkpoint at the end of a validation that the next one replaces."""
        self._save_temporary(runner, runner.epoch, runner.iter, is_validated=True)

    def _save_temporary(
        self, runner: Runner, epoch: int, iteration: int, is_validated: bool = False
    ) -> None:
        if self.is_saved(epoch, iteration):
            return
        name, meta = f'iter_{iteration}.pth', dict(epoch=epoch, iter=iteration)
        runner.logger.info(f'Saving {name}')
        # A checkpoint by iterations may have this name already, and is kept.
        is_temporary = name == self._temporary or name != osp.basename(self.last_ckpt or '')
        self._save(runner, name, meta, is_temporary, is_validated)

    def is_saved(self, epoch: int, iteration: int) -> bool:
        """Return whether the newest checkpoint is of this place in the training."""
        return (epoch, iteration) == self._saved_place

    # Writing --------------------------------------------------------------------------------

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict[str, Any]
    ) -> None:
        """Write a checkpoint that counts among ``max_keep_ckpts``, and delete the oldest."""
        stays = self.keep_every is not None and step % self.keep_every == 0
        if self.max_keep_ckpts > 0 and not stays and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                self._obsolete.append(self.filename_tmpl.format(self.keep_ckpt_ids.popleft()))
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        self._save(runner, self.filename_tmpl.format(step), meta)

    def _save(
        self,
        runner: Runner,
        name: str,
        meta: dict[str, Any],
        is_temporary: bool = False,
        is_validated: bool = False,
    ) -> None:
        """Write a checkpoint, name it as the last one, and delete the obsolete ones."""
        self._prepare(runner)
        if self._temporary not in (None, name):
            self._obsolete.append(self._temporary)
        self._temporary = name if is_temporary else None
        self._is_validated = is_validated
        survives = f'{self.last_ckpt} is complete' if self.last_ckpt else None
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        with report_disk_full(self.last_ckpt, survives):
            runner.save_checkpoint(
                self.out_dir,
                name,
                self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=dict(meta),
                backend_args=self.backend_args,
                **self.args,
            )
            self._write_last(runner)
        self._saved_place, self._saved_at = (meta['epoch'], meta['iter']), time.monotonic()
        self._random_states = None
        self._delete_obsolete(runner)

    def _write_last(self, runner: Runner) -> None:
        """Name the newest checkpoint, relative to the work dir, as MMEngine's tools expect."""
        if is_main_process():
            with atomic_file(Path(runner.work_dir, LAST)) as temporary:
                file, here = self.last_ckpt or '', runner.work_dir
                if osp.abspath(osp.dirname(file)) == osp.abspath(here):
                    temporary.write_text(osp.basename(file))
                else:  # not through links, which '..' does not go back
                    temporary.write_text(osp.relpath(osp.realpath(file), osp.realpath(here)))

    def _delete_obsolete(self, runner: Runner) -> None:
        """Delete the files that newer ones replace."""
        obsolete, self._obsolete = self._obsolete, []
        for name in obsolete if is_main_process() else ():
            path = self.file_backend.join_path(self.out_dir, osp.basename(name))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
            elif self.file_backend.isdir(path):  # DeepSpeed's checkpoints are folders
                self.file_backend.rmtree(path)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Write the best checkpoint, then let the old one be deleted."""
        if not self.save_best:
            return
        self._prepare(runner)
        old, last = self._best, self.last_ckpt
        # MMEngine would delete the old file first, and save the newest one a second time.
        self._best, self.last_ckpt = [None] * len(old), None
        super()._save_best_checkpoint(runner, metrics)
        self.last_ckpt, self._random_states = last, None
        for was, now in zip(old, self._best, strict=True):
            if was and now not in (None, was):
                self._obsolete.append(osp.basename(was))
        self._best = [now or was for was, now in zip(old, self._best, strict=True)]

    @property
    def _best(self) -> list[str | None]:
        """The path of the best checkpoint by each metric."""
        if len(self.key_indicators) == 1:
            return [self.best_ckpt_path]
        return [self.best_ckpt_path_dict.get(key) for key in self.key_indicators]

    @_best.setter
    def _best(self, paths: list[str | None]) -> None:
        if len(self.key_indicators) == 1:
            (self.best_ckpt_path,) = paths
        else:
            self.best_ckpt_path_dict = dict(zip(self.key_indicators, paths, strict=True))

    def _prepare(self, runner: Runner) -> None:
        """Gather the random states of all ranks; only the first rank saves.

        Hooks with a ``before_checkpoint`` can stop the run before any file is replaced.
        """
        if not is_optimizer_step(runner) and not self._is_warned:
            self._is_warned = True
            runner.logger.warning(
                'optim_wrapper.accumulative_counts: a checkpoint does not hold the gradients '
                'that are accumulated at this iteration. A run resumed from it will differ; '
                'choose a number of iterations per epoch that is a multiple of it.'
            )
        runner.call_hook('before_checkpoint')
        self._random_states = all_gather_object(random_state.get_state())


def _states(schedulers: Any) -> Iterator[dict[str, Any]]:
    """Yield the states of all schedulers, also of several optimizers."""
    for value in schedulers.values() if isinstance(schedulers, dict) else [schedulers]:
        yield from value


def _path_keys(info: dict[str, Any]) -> list[str]:
    """Return the keys under which MMEngine keeps paths of checkpoints."""
    return [key for key in info if key.startswith(('best_ckpt', 'last_ckpt'))]


def _is_same(folder: str, other: str) -> bool:
    return osp.realpath(folder) == osp.realpath(other)
