"""Log the floor of a projector's SubspaceLoss, next to the loss."""

from collections.abc import Iterator
from typing import Any

from mmengine.dist import all_gather_object, get_dist_info
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from ...analysis.functional.subspace_floor import SubspaceFloor
from ...models import FeatureDistill, ProjectorConnector, SubspaceLoss
from ...models.algorithms.loss_inputs import LossInputs, loss_inputs
from ...models.losses import align
from ...models.teachers import CachedTeacher
from ...registry import HOOKS
from ...utils.isolated_eval import isolated_eval
from ...utils.on_screen import OnScreen
from ...utils.unwrap import unwrap_model
from ..runner.load_views import load_views
from ..runner.loops import num_passes
from ..runner.target_statistics import first_views


@HOOKS.register_module()
class SubspaceFloorHook(Hook):  # type: ignore[misc]  # MMEngine is untyped
    """Measure, before the training, how far a projector can follow the teacher's directions.

    For each ``SubspaceLoss`` behind a ``ProjectorConnector`` the floor is measured on training
    images, as the training first shows them, and logged with every line as
    ``feature/pair_0_subspace/floor``, without ``loss_weight``: a loss far above it was not
    forced far. Other trainings are left alone, and random numbers as they were.

    Args:
        num_images: The number of training images, or all if there are fewer. Of few, the floor
            is too low.
        seed: Decides which.

    Raises:
        ValueError: If a number is too small.
    """

    priority = 'NORMAL'  # after the statistics of targets

    def __init__(self, num_images: int = 1024, seed: int = 0) -> None:
        for key, value, least in (('num_images', num_images, 1), ('seed', seed, 0)):
            if value < least:
                raise ValueError(f'SubspaceFloorHook.{key}={value!r}: wanted {least} or more.')
        self.num_images, self.seed = num_images, seed
        self._floors: dict[str, float] = {}

    def before_train(self, runner: Runner) -> None:
        """Measure the floors, and log them."""
        model = unwrap_model(runner.model)
        if not isinstance(model, FeatureDistill) or model.teacher is None:
            return
        losses = list(_behind_projectors(model.distiller))
        if not losses:
            return
        training = model.training
        model.eval()  # no statistic of a projector changes
        with isolated_eval(next(model.parameters()).device, self.seed):
            found = self._measure(runner, model, losses)
        model.train(training)
        for each, floor in zip(losses, found, strict=True):
            curve = floor.result()['floor']
            rank = min(_projector(model.distiller, each).max_rank, len(curve) - 1)
            self._floors[each.name] = curve[rank]
            runner.logger.info(
                OnScreen(
                    f'Floor of loss_{each.name}: {self._floors[each.name]:.4f} (before its '
                    f'loss_weight), the least rotation of {floor.d} directions of '
                    f'{floor.num_images:,} training views (seed {self.seed}) behind a '
                    f'projector that spans {rank} of {len(curve) - 1} dimensions.'
                )
            )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Log the floors next to the losses."""
        for name, floor in self._floors.items():
            runner.message_hub.update_scalar(f'train/feature/{name}/floor', floor)

    def _measure(
        self, runner: Runner, model: Any, losses: list[LossInputs]
    ) -> list[SubspaceFloor]:
        """Measure what the losses compare with; the same on all ranks, which share the work."""
        loop = runner.train_loop
        views = first_views(loop.dataloader, num_passes(loop), self.num_images, self.seed)
        size = int(loop.dataloader.batch_size or 1)
        rank, world_size = get_dist_info()
        batches = [views[i : i + size] for i in range(0, len(views), size)][rank::world_size]
        floors = [SubspaceFloor(each.loss.d) for each in losses]
        for batch in load_views(loop.dataloader, batches):
            data = model.data_preprocessor(batch, False)
            # As in the training: a teacher cache stores what the teacher computes here.
            with (
                runner.optim_wrapper.optim_context(runner.model),
                model.records(data['inputs'], data['data_samples']),
            ):
                tokens = [_teacher_tokens(model.distiller, each) for each in losses]
            for floor, given in zip(floors, tokens, strict=True):
                floor.update(given)
        if isinstance(model.teacher, CachedTeacher):
            model.teacher.flush()  # before the training would compute these views again
        whole = [SubspaceFloor(floor.d) for floor in floors]
        for part in all_gather_object(floors):
            for floor, other in zip(whole, part, strict=True):
                floor.merge(other)
        return whole


def _behind_projectors(distiller: Any) -> Iterator[LossInputs]:
    for each in loss_inputs(distiller):
        if isinstance(each.loss, SubspaceLoss) and isinstance(
            _projector(distiller, each), ProjectorConnector
        ):
            yield each


def _teacher_tokens(distiller: Any, each: LossInputs) -> Tensor:
    given = each.recorded(distiller)
    _, teacher = align(given[each.student], given[each.teacher])
    return teacher.tokens


def _projector(distiller: Any, each: LossInputs) -> Any:
    name = each.records[each.student].get('connector')
    return distiller.connectors[name] if name else None
