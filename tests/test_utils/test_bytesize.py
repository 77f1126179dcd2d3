"""Sizes of memory as people write them."""

import mmvitkd  # noqa: F401
from mmvitkd.utils.bytesize import parse_size, size_text

import pytest


@pytest.mark.parametrize(
    ('text', 'size'),
    [
        ('2GiB', 2 * 1024**3),
        ('512MiB', 512 * 1024**2),
        ('512 mib', 512 * 1024**2),
        ('1.5GB', 1_500_000_000),
        ('64kb', 64_000),
        ('1TiB', 1024**4),
        ('12345', 12345),
        ('7B', 7),
    ],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize('text', ['', '2 apples', '-1GiB', 'GiB', '0', '0.1B', '1,5GiB'])
def test_a_wrong_size_is_refused(text):
    with pytest.raises(ValueError, match=f"found '{text}'"):
        parse_size(text)


def test_sizes_for_people():
    sizes = 5, 1536, 3 * 2**20, 2.5 * 2**30, 2**45, 2**55
    texts = ['5 B', '1.5 KiB', '3 MiB', '2.5 GiB', '32 TiB', '3.28e+04 TiB']
    assert [size_text(size) for size in sizes] == texts
