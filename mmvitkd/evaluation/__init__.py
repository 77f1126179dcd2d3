"""Metrics that MMPretrain lacks."""
