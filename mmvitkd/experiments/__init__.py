"""Many trainings as one experiment: a suite of configs over seeds."""

from .run import Cell, Result, cells_of
from .scheduler import run_cells
from .suite import Entry, Suite, read_suite

__all__ = ['Cell', 'Entry', 'Result', 'Suite', 'cells_of', 'read_suite', 'run_cells']
