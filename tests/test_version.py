"""The version is stated in four places, and is the same."""

import re

import mmvitkd

import pytest
import yaml
from wheels import ROOT


def test_the_citation_has_it():
    cited = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert cited['version'] == mmvitkd.__version__


@pytest.mark.parametrize(
    ('name', 'pattern'),
    [('CHANGELOG.md', r'^## (\d\S*)'), ('docs/tutorial.md', r'dist/mmvitkd-(\d[\d.]*)-py3')],
)
def test_documents_have_it(name, pattern):
    first = re.search(pattern, (ROOT / name).read_text(), re.MULTILINE)
    assert first[1] == mmvitkd.__version__
