"""Prepare and end a run."""
