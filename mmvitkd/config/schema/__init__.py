"""Check a config, before anything is built, against what reads its keys."""

from .check import check_settings

__all__ = ['check_settings']
