"""What docs/training.md says to type."""

import re
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.utils.config_options import read_value

import pytest
from mmengine.registry import VISBACKENDS

DOCUMENT = (Path(__file__).parents[1] / 'docs' / 'training.md').read_text()
BACKENDS = re.findall(r'^\| .*`(dict\(type=\w+VisBackend.*?\))` \|', DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize('text', BACKENDS)
def test_a_trackers_line_is_a_backend(text, tmp_path):
    (settings,) = read_value(f'[{text}]')
    backend = VISBACKENDS.build({**settings, 'save_dir': str(tmp_path)})
    assert type(backend).__name__ == settings['type']


def test_all_trackers_have_a_line():
    assert len(BACKENDS) == 6
