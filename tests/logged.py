"""Collect the messages of MMEngine's logger."""

import logging
from contextlib import contextmanager

from mmengine.logging import MMLogger


@contextmanager
def logged(level=logging.INFO):
    """Yield a list that collects the messages, such as ``'WARNING No CUDA'``."""
    lines = []
    handler = logging.Handler(level)
    handler.emit = lambda record: lines.append(f'{record.levelname} {record.getMessage()}')
    logger = MMLogger.get_current_instance()
    before = logger.level
    logger.setLevel(level)  # a tool that ran before may have raised it
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
