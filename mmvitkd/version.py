"""State the version of the package, here only."""

__version__ = '0.2.0'
