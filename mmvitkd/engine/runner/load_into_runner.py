"""Load a student's weights into the model of a runner."""

from mmengine.runner import Runner

from ...checkpoint.load_strict import load_student
from ...utils.on_screen import OnScreen
from ...utils.unwrap import unwrap_model


def load_into_runner(runner: Runner, path: str, ema: bool = False) -> None:
    """Load a student's weights; see :func:`~mmvitkd.checkpoint.load_strict.load_student`."""
    load_student(unwrap_model(runner.model), path, ema)
    which = 'EMA weights' if ema else 'weights'
    text = f'Loaded the {which} of the student from {path}'
    runner.logger.info(OnScreen(text))
