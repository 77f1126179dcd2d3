"""Weights from one naming to another, as pure functions on state dicts."""
