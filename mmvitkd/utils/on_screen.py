"""Mark what the log shows on the screen before the first epoch as well."""

from mmengine.logging import MMLogger

# For `logger.info(text, extra=ON_SCREEN)`; see mmvitkd.engine.logging.screen.
ON_SCREEN = {'on_screen': True}


def log_on_screen(text: str) -> None:
    """Log to the screen and the file of the current run."""
    MMLogger.get_current_instance().info(text, extra=ON_SCREEN)
