"""A model's representation of a folder of images: the measures of its blocks, in a report."""

from .measures import MEASURES, chosen_measures
from .passes import Measured, Passes
from .report import report_of
from .settings import Settings

__all__ = ['MEASURES', 'Measured', 'Passes', 'Settings', 'chosen_measures', 'report_of']
