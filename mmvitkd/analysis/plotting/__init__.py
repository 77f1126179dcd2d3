"""Figures of reports: shared panels and curves. Matplotlib is imported when one is drawn."""
