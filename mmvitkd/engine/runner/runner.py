"""Run a training that resumes anywhere, exactly."""

from typing import Any

from mmengine.runner import BaseLoop
from mmengine.runner import Runner as _Runner
from torch.utils.data import DataLoader

from ...datasets.seeded_samples import seed_samples
from ...registry import LOOPS, RUNNERS


@RUNNERS.register_module()
class Runner(_Runner):  # type: ignore[misc]  # MMEngine is untyped
    """MMEngine's ``Runner``, whose trainings resume anywhere, with equal results.

    Every training sample is augmented from a seed of its own; see
    :class:`~mmvitkd.datasets.seeded_samples.SeededSamples`. Keys of the config:
    ``sample_seeds=False`` turns this off, and ``sample_views=M`` gives every image M views in
    turn instead of another one in each epoch.
    """

    _train_dataloader: DataLoader[Any] | dict[str, Any]

    def build_train_loop(self, loop: BaseLoop | dict[str, Any]) -> BaseLoop:
        """Build our loops where the config names none, with seeded samples."""
        if isinstance(loop, BaseLoop):
            return loop
        if isinstance(self._train_dataloader, dict):
            self._train_dataloader = seed_samples(
                self._train_dataloader,
                self.seed,
                self.cfg.get('sample_views'),
                self.cfg.get('sample_seeds', True),
            )
        if 'type' in loop:
            return super().build_train_loop(loop)
        arguments = {key: value for key, value in loop.items() if key != 'by_epoch'}
        kind = 'EpochBased' if loop.get('by_epoch') else 'IterBased'
        return LOOPS.build(
            dict(type=f'mmvitkd.{kind}TrainLoop', **arguments),
            default_args=dict(runner=self, dataloader=self._train_dataloader),
        )
