"""CONTRIBUTING.md names files that exist, and folders for those that are to be written."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATHS = re.findall(
    r'`((?:mmvitkd|tests|docs)/[\w./]+\.\w+)`', (ROOT / 'CONTRIBUTING.md').read_text()
)


@pytest.mark.parametrize('path', sorted(set(PATHS)))
def test_it_exists_or_is_new_in_a_folder_that_does(path):
    file = ROOT / path
    assert file.parent.is_dir() if 'my_' in file.name else file.is_file()


def test_it_names_the_contract_tests():
    contracts = {p.as_posix() for p in (ROOT / 'tests/test_contracts').glob('test_*.py')}
    assert contracts == {str(ROOT / path) for path in PATHS if 'test_contracts' in path}
