"""Options that several analysis tools share."""

import argparse
from pathlib import Path

import pytest
from tool_modules import load_tool


@pytest.fixture
def parser():
    options = load_tool('analysis_tools/shared_options')
    parser = argparse.ArgumentParser()
    options.add_loading_options(parser)
    options.add_folder_options(parser, 'a report')
    return parser


def test_the_defaults_are_those_of_the_help(parser):
    assert vars(parser.parse_args(['--out', 'folder'])) == dict(
        device=None, batch_size=32, workers=2, out=Path('folder'), overwrite=False
    )
    help_ = parser.format_help()
    assert 'default: 32' in help_ and 'default: 2\n' in help_ and 'replace a report' in help_


def test_a_folder_is_needed(parser, capsys):
    with pytest.raises(SystemExit):
        parser.parse_args([])
    assert '--out' in capsys.readouterr().err
