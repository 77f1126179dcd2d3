"""Read, write and convert checkpoints without executing anything in them."""
