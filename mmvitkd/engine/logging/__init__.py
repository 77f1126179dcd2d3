"""Logging without host-device synchronisation, and in whole lines."""

from .async_history_buffer import AsyncHistoryBuffer
from .local_vis_backend import LocalVisBackend
from .mlflow_vis_backend import MLflowVisBackend

__all__ = ['AsyncHistoryBuffer', 'LocalVisBackend', 'MLflowVisBackend']
