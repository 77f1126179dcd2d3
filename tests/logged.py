"""Collect what MMEngine's logger is given."""

import logging
from contextlib import contextmanager

from mmengine.logging import MMLogger


@contextmanager
def logged(level=logging.INFO):
    """Give a list that fills with the messages, such as ``'WARNING No CUDA'``."""
    lines = []
    handler = logging.Handler(level)
    handler.emit = lambda record: lines.append(f'{record.levelname} {record.getMessage()}')
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
