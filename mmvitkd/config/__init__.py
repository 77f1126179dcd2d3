"""Load and complete configs; find the student and its provenance in them."""
