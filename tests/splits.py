"""However its images come, in batches or from processes, a measure says the same."""

import pytest
from tokens import numbers


def check_splits(make, features):
    """Check a measure against itself on batches of other sizes, and merged.

    Args:
        make: Gives an empty measure.
        features: Of 7 images.
    """
    whole = make()
    whole.update(features)
    wanted = pytest.approx(numbers(whole.result()), rel=1e-12, abs=1e-12)
    split = make()
    for part in features.split([1, 4, 2]):
        split.update(part)
        split.result()
    assert numbers(split.result()) == wanted
    first, second, empty = make(), make(), make()
    first.update(features[:3])
    second.update(features[3:])
    first.merge(second)
    first.merge(empty)
    empty.merge(first)
    assert numbers(first.result()) == wanted
    assert empty.result() == first.result()
    second.update(features)
    assert numbers(first.result()) == wanted
