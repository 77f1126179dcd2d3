"""Open the teacher cache of a training, and close it."""

from contextlib import ExitStack

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...models.teachers import CachedTeacher
from ...registry import HOOKS
from ...utils.unwrap import unwrap_model
from ..runner.loops import num_passes, view_sampler
from ..runner.open_teacher_cache import log_others, open_teacher_cache


@HOOKS.register_module()
class TeacherCacheHook(Hook):  # type: ignore[misc]  # MMEngine is untyped
    """Open the cache of a :class:`~mmvitkd.models.teachers.CachedTeacher` before training.

    Without one, it does nothing.
    """

    priority = 'HIGH'  # before hooks that use the teacher

    def __init__(self) -> None:
        self._stack = ExitStack()

    def before_train(self, runner: Runner) -> None:
        """Open the cache and check it."""
        model = unwrap_model(runner.model)
        teacher = getattr(model, 'teacher', None)
        if not isinstance(teacher, CachedTeacher):
            return
        loader = runner.train_loop.dataloader
        self._stack.enter_context(
            open_teacher_cache(
                teacher,
                model.data_preprocessor,
                loader,
                view_sampler(loader),
                num_passes(runner.train_loop),
                runner.cfg,
            )
        )

    def before_checkpoint(self, runner: Runner) -> None:
        """Store what was computed before the checkpoint, on all ranks.

        A run that goes on from there, after a kill, then reads what it would have read.
        """
        self._flush(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Store what the epoch computed, for all ranks to read in the next."""
        teacher = self._flush(runner)
        if teacher is not None:
            log_others(str(teacher.storing_error or ''))

    def _flush(self, runner: Runner) -> CachedTeacher | None:
        """Store what was computed; return the teacher if there is a cache."""
        teacher = getattr(unwrap_model(runner.model), 'teacher', None)
        if not isinstance(teacher, CachedTeacher):
            return None
        teacher.flush()
        return teacher

    def after_train(self, runner: Runner) -> None:
        """Close the cache."""
        self._stack.close()

    def close(self, runner: Runner) -> None:
        """Close the cache of a run that was interrupted."""
        self._stack.close()
