"""Run measures over images."""
