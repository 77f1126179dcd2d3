"""Patch tokens of a model's blocks."""
