"""Data sets and transforms that MMPretrain lacks."""
