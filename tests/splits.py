"""Check that the split of images into batches does not change a measure."""

import pytest
from tokens import numbers


def check_splits(make, features):
    """Check a measure against itself on batches of other sizes.

    Args:
        make: Returns a new measure.
        features: Features of 7 images.
    """
    whole = make()
    whole.update(features)
    wanted = pytest.approx(numbers(whole.result()), rel=1e-12, abs=1e-12)
    split = make()
    for part in features.split([1, 4, 2]):
        split.update(part)
        split.result()
    assert numbers(split.result()) == wanted
