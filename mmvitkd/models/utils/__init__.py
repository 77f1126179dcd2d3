"""What several kinds of models share."""
