"""Run a training that resumes anywhere, exactly."""

import os.path as osp
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from mmengine.config import Config
from mmengine.dist import master_only
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop, EpochBasedTrainLoop
from torch.utils.data import DataLoader

from ...checkpoint.load_strict import check_restored
from ...checkpoint.read import weights_of
from ...config.load_config import complete_config
from ...datasets.seeded_samples import seed_samples
from ...models.algorithms import FeatureDistill
from ...models.algorithms.unused_parameters import unused_message, unused_parameters
from ...registry import RUNNERS
from ...utils.atomic_file import atomic_file, remove_leftovers
from ...utils.errors import listed
from ...utils.folder_lock import folder_lock
from ...utils.on_screen import OnScreen
from ...utils.unwrap import unwrap_model
from ..logging.screen import quiet
from ..optimizers.optimizer_step import optim_wrappers
from .blaming_runner import BlamingRunner
from .ignored_settings import ignored_settings
from .launch import set_dataloaders, set_work_dir
from .loops import ResumableLoop, check_batches
from .resume import Schedule, adapt_to_layout, check_resumable, share_newest_checkpoint
from .screen_hook import ScreenHook
from .start_from import start_from


@RUNNERS.register_module()
class Runner(BlamingRunner):
    """MMEngine's ``Runner``, whose trainings resume anywhere, with equal results.

    Every training sample is augmented from a seed of its own; see
    :class:`~mmvitkd.datasets.seeded_samples.SeededSamples`. Keys of the config:

    - ``sample_views=M`` gives every image M views in turn instead of another one in each epoch.
    - ``sample_seed=S`` draws the views from S instead of the seed of the run, so that runs with
      other seeds, of weights and order, see the same views.
    - ``sample_seeds=False`` turns this off.
    - ``load_from_new`` names the parts of the model that need not be in the file of
      ``load_from``; see :func:`~mmvitkd.engine.runner.start_from.start_from`.
    - ``verbose=True`` shows the whole log on the screen, also before the first epoch.

    One training at a time writes to a work dir.

    Attributes:
        resumed_from: The checkpoint that the training was resumed from, if any.
    """

    resumed_from: str | None = None
    _is_resuming = False  # with the optimizer
    _has_loaded: bool
    _resume: bool | str
    _train_dataloader: DataLoader[Any] | dict[str, Any]

    @classmethod
    def from_cfg(cls, cfg: Config | dict[str, Any]) -> 'Runner':
        """Build a runner from a config, completed as ``tools/train.py`` does.

        Args:
            cfg: The config. ``num_classes``, ``data_root`` and other keys at its top are
                applied to a copy, whether it was read by
                :func:`~mmvitkd.config.load_config.load_config` or by MMEngine. Without
                ``work_dir``, that is ``work_dirs/NAME`` by the name of its file.

        Raises:
            ValueError: If a setting is wrong; see
                :func:`~mmvitkd.config.load_config.complete_config`.
        """
        cfg = deepcopy(cfg) if isinstance(cfg, Config) else Config(cfg)
        complete_config(cfg)
        set_work_dir(cfg, None)
        set_dataloaders(cfg)
        runner: Runner = super().from_cfg(cfg)
        return runner

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger, whose screen has little before the first epoch."""
        logger = super().build_logger(*args, **kwargs)
        quiet(logger, self.cfg.get('verbose', False))
        return logger

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Register the hooks, and the one that shows what the run is."""
        super().register_hooks(*args, **kwargs)
        self.register_hook(ScreenHook())

    def build_train_loop(self, loop: BaseLoop | dict[str, Any]) -> BaseLoop:
        """Build our loops where the config names none, with seeded samples."""
        if isinstance(loop, BaseLoop):
            return loop
        if isinstance(self._train_dataloader, dict):
            self._train_dataloader = seed_samples(
                self._train_dataloader,
                self.seed,
                self.cfg.get('sample_seed'),
                self.cfg.get('sample_views'),
                self.cfg.get('sample_seeds', True),
            )
        if 'type' in loop:
            return super().build_train_loop(loop)
        arguments = {key: value for key, value in loop.items() if key != 'by_epoch'}
        kind = 'EpochBased' if loop.get('by_epoch') else 'IterBased'
        built = super().build_train_loop(dict(type=f'mmvitkd.{kind}TrainLoop', **arguments))
        check_batches(built.dataloader)  # before the schedulers count them
        return built

    def scale_lr(self, optim_wrapper: Any, auto_scale_lr: dict[str, Any] | None = None) -> None:
        """Scale the learning rate by the images of an optimizer's step, on all ranks."""
        accumulated = getattr(optim_wrapper, '_accumulative_counts', 1)
        if accumulated > 1 and auto_scale_lr and auto_scale_lr.get('enable'):
            self.logger.info(
                f'optim_wrapper.accumulative_counts={accumulated}: the learning rate is scaled '
                f'for {accumulated} times the batch size.'
            )
            base = auto_scale_lr['base_batch_size'] / accumulated
            auto_scale_lr = dict(auto_scale_lr, base_batch_size=base)
        with ExitStack() as stack:
            for each in optim_wrappers(optim_wrapper):  # also what MMEngine logs as base_lr
                groups = patch.object(each.optimizer, 'param_groups', each.param_groups)
                stack.enter_context(groups)
            super().scale_lr(optim_wrapper, auto_scale_lr)

    @master_only  # type: ignore[untyped-decorator]  # MMEngine is untyped
    def dump_config(self) -> None:
        """Write the config to the work dir, completely or not at all.

        A test, whose config has no training, leaves that of the training in its work dir.
        """
        name = osp.basename(self.cfg.filename or f'{self.timestamp}.py')
        file = osp.join(self.work_dir, name)
        if self._train_dataloader is None and osp.exists(file):
            return
        with atomic_file(file) as temporary:
            self.cfg.dump(temporary)

    def train(self) -> torch.nn.Module:
        """Train, as the only run that does so in this work dir.

        Raises:
            ValueError: If a layer would get no gradient, on which DDP fails.
        """
        self._check_gradients()
        with ExitStack() as stack:
            stack.callback(self.call_hook, 'close')
            for folder in self._folders() if self.rank == 0 else ():
                stack.enter_context(folder_lock(folder, 'a training'))
                remove_leftovers(folder)
            return super().train()

    def _check_gradients(self) -> None:
        """Check that every layer of a distillation is trained; with one process, warn."""
        model = unwrap_model(self.model)
        if not isinstance(model, FeatureDistill) or model.teacher is None:
            return
        if not (unused := unused_parameters(model)):
            return
        error = unused_message(unused)
        if self.distributed and not getattr(self.model, 'find_unused_parameters', False):
            raise error
        self.logger.warning(str(error))

    def _folders(self) -> list[Path]:
        """Return the folders of checkpoints on this machine, the work dir first."""
        folders = [Path(self.work_dir)]
        for hook in self.hooks:
            folder = hook.folder(self) if hasattr(hook, 'folder') else self.work_dir
            if '://' not in folder and Path(folder) not in folders:
                folders.append(Path(folder))
        return folders

    def load_or_resume(self) -> None:
        """Load or resume; without a file, all ranks resume from the same newest checkpoint.

        With ``resume='auto'``, ``load_from`` is for a run that has no checkpoint yet.
        """
        if self._load_from is not None and not self._resume and not self._has_loaded:
            start_from(self, self._load_from, self.cfg.get('load_from_new') or ())
            self._has_loaded = True
            return
        is_auto = self._resume == 'auto' or (self._resume and self._load_from is None)
        if self._has_loaded or not is_auto:
            super().load_or_resume()
            return
        newest = share_newest_checkpoint(*self._folders())
        if newest is not None:
            self.resume(str(newest))
            return
        text = f'--resume: no checkpoint in {self.work_dir}: starting anew.'
        self.logger.info(OnScreen(text))
        self._resume = False
        self.load_or_resume()

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: Any = 'default',
    ) -> None:
        """Resume, also with another batch size or number of ranks.

        Raises:
            ValueError: If that is not possible from the middle of an epoch, or the checkpoint
                lacks the optimizer or the schedulers.
        """
        self.resumed_from = filename
        # A script may resume before train() has built them.
        fresh = Schedule.of(self) if isinstance(self.optim_wrapper, OptimWrapper) else None
        self._is_resuming = resume_optimizer and resume_param_scheduler
        try:
            super().resume(filename, resume_optimizer, resume_param_scheduler, map_location)
        finally:
            self._is_resuming = False
        total = self.message_hub.get_info('max_iters', 0)  # of the run that was interrupted
        is_recomputed = fresh is not None and adapt_to_layout(self, fresh)
        self._log_place(filename)
        if fresh is not None and not is_recomputed and self.iter < self.max_iters:
            self._warn_of_ignored(fresh, total)

    def _log_place(self, filename: str) -> None:
        """Say where the run goes on, or that it does not."""
        done, end = self.iter, self.max_iters
        if done < end:
            by_epoch = isinstance(self.train_loop, EpochBasedTrainLoop)
            text = f'Resumed from {filename}, after {done:,} of {end:,} iterations'
            where = f': epoch {self.epoch + 1} of {self.max_epochs}' if by_epoch else ''
            self.logger.info(OnScreen(f'{text}{where}.'))
            return
        text = f'{filename}: this training is finished, after {done:,} of {end:,} iterations'
        if done == end:
            self.logger.info(OnScreen(f'{text}: nothing is left to train.'))
        else:
            self.logger.warning(
                f'{text}: nothing is trained. Wanted a later end (train_cfg.max_epochs or '
                'max_iters), or a start from these weights: load_from=FILE without --resume.'
            )

    def _warn_of_ignored(self, fresh: Schedule, total: int) -> None:
        """Warn of settings that were changed and have no effect."""
        if ignored := ignored_settings(self, fresh, total):
            self.logger.warning(
                'The resumed run keeps the optimizer and the schedule of its checkpoint; this '
                f'config has no effect: {listed(ignored)}. To use it, start anew from the '
                'weights: load_from=FILE without --resume.'
            )

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> Any:
        """Load a checkpoint; note whether its validation is still due.

        Raises:
            ValueError: If the run resumes and the checkpoint lacks the optimizer or the
                schedulers; see also :meth:`call_hook`.
        """
        checkpoint = super().load_checkpoint(filename, *args, **kwargs)
        if self._is_resuming:
            check_resumable(checkpoint, filename, bool(self.param_schedulers))
        if self.resumed_from is not None and isinstance(self._train_loop, ResumableLoop):
            self._train_loop.validation_is_due = checkpoint.get('validated') is False
        return checkpoint

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """Call the hooks; then check what a run resumes from, before MMEngine loads it.

        Raises:
            ValueError: If the checkpoint does not fill the whole model.
        """
        super().call_hook(fn_name, **kwargs)
        if fn_name == 'after_load_checkpoint' and self.resumed_from is not None:
            weights = weights_of(kwargs['checkpoint'], self.resumed_from)
            check_restored(unwrap_model(self.model), weights, 'resume', self.resumed_from)
