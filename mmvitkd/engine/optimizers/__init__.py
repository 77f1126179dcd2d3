"""Optimizer wrappers, their constructors, and averaged weights."""
