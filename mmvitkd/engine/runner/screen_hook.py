"""Show what a run is before it starts, and its log once it has started."""

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...utils.on_screen import OnScreen
from ..logging.screen import open_screen
from .run_summary import summary_of


class ScreenHook(Hook):  # type: ignore[misc]  # MMEngine is untyped
    """Log a summary of the run; show all records from the first epoch on.

    Our :class:`~mmvitkd.engine.runner.Runner` registers it; a config needs none.
    """

    priority = 'HIGHEST'

    @master_only  # type: ignore[untyped-decorator]  # MMEngine is untyped
    def before_run(self, runner: Runner) -> None:
        """Log the summary."""
        for line in summary_of(runner):
            runner.logger.info(OnScreen(line))

    def before_train_epoch(self, runner: Runner) -> None:
        """Show what training logs."""
        open_screen(runner.logger)

    def before_val_epoch(self, runner: Runner) -> None:
        """Show what a validation logs."""
        open_screen(runner.logger)

    def before_test_epoch(self, runner: Runner) -> None:
        """Show what a test logs."""
        open_screen(runner.logger)
