"""Read, write and convert checkpoints without executing anything in them.

Importing the package replaces how MMEngine loads checkpoints.
"""

from . import loader  # noqa: F401
