"""Measure the statistics of centred and standardised targets before a training starts."""

from functools import partial

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...models import FeatureDistill
from ...registry import HOOKS
from ...utils.isolated_eval import isolated_eval
from ...utils.on_screen import OnScreen
from ...utils.unwrap import unwrap_model
from ..runner.loops import num_passes
from ..runner.target_statistics import measure_targets, targets_of


@HOOKS.register_module()
class TargetStatisticsHook(Hook):  # type: ignore[misc]  # MMEngine is untyped
    """Measure the targets of ``pair_target``, and start LayerNorms at them.

    The statistics are saved with the run: a resumed one goes on with them. A run that
    starts from the weights of a file (``load_from``) measures anew, and keeps the LayerNorms of
    the file. Without such targets, the hook does nothing.

    Args:
        num_images: The number of training images, or all if there are fewer.
        seed: Decides which.

    Raises:
        ValueError: If a number is too small.
    """

    priority = 'ABOVE_NORMAL'  # after the teacher cache is open

    def __init__(self, num_images: int = 4096, seed: int = 0) -> None:
        for key, value, least in (('num_images', num_images, 1), ('seed', seed, 0)):
            if value < least:
                raise ValueError(
                    f'TargetStatisticsHook.{key}={value!r}: wanted {least} or more.'
                )
        self.num_images, self.seed = num_images, seed

    def before_train(self, runner: Runner) -> None:
        """Measure, and log what was found."""
        model = unwrap_model(runner.model)
        if not isinstance(model, FeatureDistill) or model.teacher is None:
            return
        targets = targets_of(model.distiller)
        is_resumed = bool(runner._resume) and runner.iter > 0
        if not targets or (is_resumed and all(t.is_measured for _, t in targets.values())):
            return
        loop, count = runner.train_loop, self.num_images
        autocast = partial(runner.optim_wrapper.optim_context, runner.model)
        given = loop.dataloader, num_passes(loop), count, self.seed, autocast
        with isolated_eval(next(model.parameters()).device, self.seed):
            lines = measure_targets(model, *given)
        for line in lines:
            runner.logger.info(OnScreen(line))
        if is_resumed or runner._load_from is not None:
            return
        for each in model.target_norms:
            each.start()
            runner.logger.info(
                f'norm_from_target: a LayerNorm of {len(each.target.mean)} channels starts at '
                'the scale and the mean of its target.'
            )
