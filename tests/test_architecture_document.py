"""docs/architecture.md draws the layers that import-linter holds the code to."""

import re
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, where pytest needs the package it came from
    import tomli as tomllib

ROOT = Path(__file__).parents[1]


def test_the_drawing_is_the_contract():
    (contract,) = (
        contract
        for contract in tomllib.loads((ROOT / 'pyproject.toml').read_text())['tool'][
            'importlinter'
        ]['contracts']
        if contract['type'] == 'layers'
    )
    text = (ROOT / 'docs' / 'architecture.md').read_text()
    drawing = re.search(r'```text\n(.*?)```', text, re.DOTALL)[1]
    assert [re.split(r' {2,}', line)[0] for line in drawing.splitlines()] == contract['layers']
