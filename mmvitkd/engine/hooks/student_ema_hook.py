"""An exponential moving average of the student, validated beside the raw weights."""

from typing import Any

from mmengine.hooks import EMAHook, RuntimeInfoHook
from mmengine.registry import MODELS
from mmengine.runner import BaseLoop
from mmengine.runner.checkpoint import weights_to_cpu

from ...registry import HOOKS
from ...utils.unwrap import unwrap_model
from ..optimizers.ema import MomentumAnnealingEMA


@HOOKS.register_module()
class StudentEMAHook(EMAHook):
    """MMEngine's ``EMAHook`` for the student alone, which never stands in for it.

    Training, ``state_dict`` and test keep the raw weights; the average goes into
    ``ema_state_dict``. Validation logs both: ``accuracy/top1`` and ``accuracy/top1_ema``.

    Args:
        momentum: 1 - decay: 4e-5 is the published decay of 0.99996 (arXiv 2511.15572).
        gamma: The momentum at step t is ``max(momentum, gamma / (gamma + t))``, so that
            the average is over about the last 1 / gamma of a short run instead of being
            its initial weights (97 % of them after 800 steps at a decay of 0.99996).
        kwargs: What ``EMAHook`` and ``MomentumAnnealingEMA`` take besides.
    """

    def __init__(self, momentum: float = 4e-5, gamma: int = 10, **kwargs: Any) -> None:
        super().__init__(MomentumAnnealingEMA, momentum=momentum, gamma=gamma, **kwargs)

    def before_run(self, runner) -> None:
        """Copy the student."""
        model = unwrap_model(runner.model)
        self.src_model = getattr(model, 'student', model)
        self.ema_model = MODELS.build(self.ema_cfg, default_args=dict(model=self.src_model))

    def before_val_epoch(self, runner) -> None:
        """Validation sees the raw weights."""

    def after_val_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        """Validate once more, with the average; add its metrics under ``*_ema``."""
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
        # It has logged the others already, and knows that not every metric is a scalar.
        RuntimeInfoHook().after_val_epoch(runner, averaged)
        if metrics is not None:
            metrics.update(averaged)

    def before_test_epoch(self, runner) -> None:
        """Test sees the weights it was given."""

    def after_test_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        """Nothing was swapped."""

    def before_save_checkpoint(self, runner, checkpoint: dict[str, Any]) -> None:
        """Save the average beside the raw weights."""
        checkpoint['ema_state_dict'] = weights_to_cpu(self.ema_model.state_dict())

    def after_load_checkpoint(self, runner, checkpoint: dict[str, Any]) -> None:
        """Go on with the average; training that is not resumed starts it at its first step."""
        if _trains(runner) and not runner._resume:
            return
        if 'ema_state_dict' in checkpoint:
            self.ema_model.load_state_dict(checkpoint['ema_state_dict'], strict=True)
        elif _trains(runner):
            runner.logger.warning('The checkpoint holds no EMA: it starts anew from here.')


def _trains(runner) -> bool:
    """Whether it is ``runner.train()`` that runs: MMEngine has built the loop by then."""
    return isinstance(runner._train_loop, BaseLoop)
