"""Convert state dicts between layouts, as pure functions."""
