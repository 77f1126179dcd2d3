"""What is skipped with an older version of a package, which the reason names."""

from importlib import metadata

import pytest
from packaging.version import Version


def skip_before(package: str, version: str, what: str) -> None:
    """Skip the test if a package is older than the version that first had something."""
    found = metadata.version(package)
    if Version(found) < Version(version):
        pytest.skip(f'{package} {found} has no {what}, which came with {version}')
