"""Build, write and read reports of measured features."""
