"""Helpers that know nothing of models, data sets or MMEngine's runner."""
