"""Write checkpoints of plain data, with everything that an exact resume needs."""

import os.path as osp
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.hooks import CheckpointHook as _CheckpointHook
from mmengine.runner import Runner

from ...checkpoint import atomic_backend  # noqa: F401  (registers atomic writing of files)
from ...checkpoint.serialize import history_buffers, to_plain
from ...registry import HOOKS
from ...utils import random_state


@HOOKS.register_module()
class CheckpointHook(_CheckpointHook):  # type: ignore[misc]  # MMEngine is untyped
    """MMEngine's ``CheckpointHook`` with the same arguments and four differences.

    Every file loads with ``torch.load(file, weights_only=True)``; MMEngine's hold pickled log
    buffers, which torch >= 2.6 refuses (MMEngine issue 1655). It holds each rank's random
    state. It is written again after the validation of its epoch, whose result a resumed run
    would otherwise miss. A run resumed into another folder does not touch the old one's files.
    """

    last_ckpt: str | None
    _random_states: list[dict[str, Any]] | None = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the random states, then turn everything into plain data, in place."""
        if self._random_states is not None:  # else a script called runner.save_checkpoint
            checkpoint['random_states'] = self._random_states
        checkpoint.update(to_plain(checkpoint))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Rebuild MMEngine's log buffers, in place."""
        hub = checkpoint.get('message_hub')
        if hub is None:
            return
        hub['log_scalars'] = history_buffers(hub['log_scalars'])
        info = hub['runtime_info']
        folder = runner.work_dir
        if self.out_dir not in (None, folder):  # as MMEngine will set it
            folder = osp.join(self.out_dir, osp.basename(folder.rstrip(osp.sep)))
        for key in [k for k in info if k.startswith(('best_ckpt', 'last_ckpt'))]:
            if osp.dirname(osp.abspath(info[key])) != osp.abspath(folder):
                # MMEngine would delete that file once this run has a better one.
                del info[key]
                hub['resumed_keys'].pop(key, None)

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict[str, Any]
    ) -> None:
        self._prepare(runner)
        super()._save_checkpoint_with_step(runner, step, meta)
        self._random_states = None

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        if not self.save_best:
            return
        self._prepare(runner)
        # MMEngine saves again if the best checkpoint changed; after_val_epoch always does.
        last, self.last_ckpt = self.last_ckpt, None
        super()._save_best_checkpoint(runner, metrics)
        self.last_ckpt = last
        self._random_states = None

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best checkpoint, and add the validation result to the newest one."""
        super().after_val_epoch(runner, metrics)
        step = runner.epoch if self.by_epoch else runner.iter
        if osp.basename(self.last_ckpt or '') == self.filename_tmpl.format(step):
            meta = dict(epoch=runner.epoch, iter=runner.iter)
            self._save_checkpoint_with_step(runner, step, meta)

    def _prepare(self, runner: Runner) -> None:
        """Gather the random states of all ranks; only the first rank saves.

        Hooks with a ``before_checkpoint`` can stop the run before any file is replaced.
        """
        runner.call_hook('before_checkpoint')
        self._random_states = all_gather_object(random_state.get_state())
