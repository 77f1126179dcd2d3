"""Store what a frozen teacher says about each view of an image, and read it back."""
