"""Utilities that students, teachers and losses share."""
