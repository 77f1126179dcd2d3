"""Logging without host-device synchronisation."""
