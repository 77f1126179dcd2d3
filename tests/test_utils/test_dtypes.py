"""Half precision is raised, everything else stays."""

from mmvitkd.utils.dtypes import at_least_float32

import pytest
import torch


@pytest.mark.parametrize(
    ('given', 'wanted'),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
        (torch.int64, torch.int64),
    ],
)
def test_types(given, wanted):
    assert at_least_float32(torch.ones(2, dtype=given)).dtype == wanted
