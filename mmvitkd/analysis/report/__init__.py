"""Reports of measured features: files, tables, figures, text."""
