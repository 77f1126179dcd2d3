"""The mathematics of the measures: tensors in, numbers out."""
