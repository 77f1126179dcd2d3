"""Keep and validate an exponential moving average of the student."""

from typing import Any

from mmengine.hooks import EMAHook, RuntimeInfoHook
from mmengine.registry import MODELS
from mmengine.runner import BaseLoop, Runner
from mmengine.runner.checkpoint import weights_to_cpu

from ...registry import HOOKS
from ...utils.unwrap import unwrap_model
from ..optimizers.ema import MomentumAnnealingEMA
from ..optimizers.optimizer_step import is_optimizer_step


@HOOKS.register_module()
class StudentEMAHook(EMAHook):  # type: ignore[misc]  # MMEngine is untyped
    """MMEngine's ``EMAHook`` for the student only, which keeps the raw weights in place.

    It counts steps of the optimizer, also where these accumulate several iterations' gradients.
    Training, ``state_dict`` and test use the raw weights; the average is saved as
    ``ema_state_dict``. Validation logs both: ``accuracy/top1`` and ``accuracy/top1_ema``.

    Args:
        momentum: 1 - decay: 4e-5 is the published decay of 0.99996 (arXiv 2511.15572).
        gamma: The momentum at step t is ``max(momentum, gamma / (gamma + t))``: a short run
            averages about its last 1 / gamma, instead of mostly its initial weights (97 % after
            800 steps at a decay of 0.99996). It reaches the momentum at step gamma / momentum,
            250,000 by default: the recipe's 187,500 steps end at 5.3e-5.
        kwargs: Further arguments of ``EMAHook`` and ``MomentumAnnealingEMA``.
    """

    def __init__(self, momentum: float = 4e-5, gamma: int = 10, **kwargs: Any) -> None:
        super().__init__(MomentumAnnealingEMA, momentum=momentum, gamma=gamma, **kwargs)

    def before_run(self, runner: Runner) -> None:
        """Copy the student."""
        model = unwrap_model(runner.model)
        self.src_model = getattr(model, 'student', model)
        self.ema_model = MODELS.build(self.ema_cfg, default_args=dict(model=self.src_model))

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Update the average where the optimizer has changed the student."""
        if is_optimizer_step(runner):
            super().after_train_iter(runner, *args, **kwargs)

    def before_val_epoch(self, runner: Runner) -> None:
        """Validate the raw weights."""

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Validate the average as well; add its metrics as ``*_ema``."""
        if self.ema_model.steps == 0 and not _trains(runner):
            return  # runner.val() of a checkpoint without an average
        loop = runner.val_loop
        self._swap_ema_parameters()
        try:
            runner.model.eval()
            for index, batch in enumerate(loop.dataloader):
                loop.run_iter(index, batch)
            averaged = loop.evaluator.evaluate(len(loop.dataloader.dataset))
        finally:
            self._swap_ema_parameters()
        averaged = {f'{name}_ema': value for name, value in averaged.items()}
        # MMEngine's hook, which logs metrics and handles those that are not scalars.
        RuntimeInfoHook().after_val_epoch(runner, averaged)
        if metrics is not None:
            metrics.update(averaged)

    def before_test_epoch(self, runner: Runner) -> None:
        """Test the loaded weights."""

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Nothing to restore: no weights were swapped."""

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Save the average in addition to the raw weights."""
        checkpoint['ema_state_dict'] = weights_to_cpu(self.ema_model.state_dict())

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Restore the average, unless training starts anew from the checkpoint."""
        if _trains(runner) and not runner._resume:
            return
        if 'ema_state_dict' in checkpoint:
            self.ema_model.load_state_dict(checkpoint['ema_state_dict'], strict=True)
        elif _trains(runner):
            runner.logger.warning('The checkpoint holds no EMA: it starts anew from here.')


def _trains(runner: Runner) -> bool:
    """Return whether ``runner.train()`` runs: MMEngine has built its loop by then."""
    return isinstance(runner._train_loop, BaseLoop)
