"""Train a suite of configs over seeds and report the results."""

from .run import Result, Run, runs_of
from .scheduler import run_all
from .suite import Entry, Suite, read_suite

__all__ = ['Entry', 'Result', 'Run', 'Suite', 'read_suite', 'run_all', 'runs_of']
