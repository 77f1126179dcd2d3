"""Helpers that do not depend on models, data sets or MMEngine's runner."""
