"""A config's text is formatted once, as MMEngine formats it, and anew when it changes."""

import mmvitkd  # noqa: F401

import pytest
from mmengine.config import Config
from mmengine.config.config import FormatCode
from yapf.yapflib import reformatter, yapf_api

SETTINGS = dict(model=dict(type='ViT', depth=12, widths=[192, 384]), lr=1e-3)


@pytest.fixture
def runs(monkeypatch):
    """How often yapf has formatted a text."""
    found, reformat = [], reformatter.Reformat

    def counted(*args, **kwargs):
        found.append(1)
        return reformat(*args, **kwargs)

    monkeypatch.setattr(reformatter, 'Reformat', counted)
    return found


def test_the_same_text_is_formatted_once(runs):
    cfg = Config(dict(SETTINGS, seed='once'))
    assert cfg.pretty_text == cfg.pretty_text == Config(cfg.to_dict()).pretty_text
    assert len(runs) == 1


def test_a_changed_config_is_formatted_anew(runs):
    cfg = Config(dict(SETTINGS, seed='anew'))
    before = cfg.pretty_text
    cfg.model.depth = 6
    assert cfg.pretty_text == before.replace('depth=12', 'depth=6') != before
    assert len(runs) == 2


def test_it_is_what_yapf_writes():
    style = dict(based_on_style='pep8')
    text = "x = dict(\n    a=1,\n      b = 'two')"
    assert FormatCode(text, style_config=style) == yapf_api.FormatCode(text, style_config=style)
