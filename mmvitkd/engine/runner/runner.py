"""Run a training that resumes anywhere, exactly."""

import os.path as osp
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import master_only
from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop
from torch.utils.data import DataLoader

from ...datasets.seeded_samples import seed_samples
from ...models.algorithms import FeatureDistill
from ...models.algorithms.unused_parameters import unused_message, unused_parameters
from ...registry import RUNNERS
from ...utils.atomic_file import atomic_file, remove_leftovers
from ...utils.folder_lock import folder_lock
from ...utils.unwrap import unwrap_model
from .blaming_runner import BlamingRunner
from .loops import ResumableLoop, check_batches
from .resume import Schedule, adapt_to_layout, share_newest_checkpoint
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

    One training at a time writes to a work dir.

    Attributes:
        resumed_from: The checkpoint that the training was resumed from, if any.
    """

    resumed_from: str | None = None
    _has_loaded: bool
    _resume: bool | str
    _train_dataloader: DataLoader[Any] | dict[str, Any]

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

    @master_only  # type: ignore[untyped-decorator]  # MMEngine is untyped
    def dump_config(self) -> None:
        """Write the config to the work dir, completely or not at all."""
        name = osp.basename(self.cfg.filename or f'{self.timestamp}.py')
        with atomic_file(osp.join(self.work_dir, name)) as temporary:
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
        self.logger.info(f'--resume: no checkpoint in {self.work_dir}: starting anew.')
        self._resume = False
        self.load_or_resume()

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Resume, also with another batch size or number of ranks.

        Raises:
            ValueError: If that is not possible from the middle of an epoch.
        """
        self.resumed_from = filename
        # A script may resume before train() has built them.
        fresh = Schedule.of(self) if isinstance(self.optim_wrapper, OptimWrapper) else None
        super().resume(filename, *args, **kwargs)
        if fresh is not None:
            adapt_to_layout(self, fresh)
        if self.iter >= self.max_iters:
            self.logger.info(
                f'{filename}: this training is finished, after {self.iter} of '
                f'{self.max_iters} iterations.'
            )

    def load_checkpoint(self, *args: Any, **kwargs: Any) -> Any:
        """Load a checkpoint; note whether its validation is still due."""
        checkpoint = super().load_checkpoint(*args, **kwargs)
        if self.resumed_from is not None and isinstance(self._train_loop, ResumableLoop):
            self._train_loop.validation_is_due = checkpoint.get('validated') is False
        return checkpoint
