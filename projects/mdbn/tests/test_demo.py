"""The demo, with trainings of two steps on two photographs."""

import runpy
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # trains
DEMO = Path(__file__).resolve().parents[1] / 'demo.py'


def test_the_demo_writes_a_table_and_a_picture(monkeypatch, tmp_path, capsys):
    demo = runpy.run_path(str(DEMO))['main'].__globals__
    small = dict(STEPS=2, OUT=tmp_path, TRAIN=('coffee', 'rocket'))
    for name, value in small.items():
        monkeypatch.setitem(demo, name, value)
    monkeypatch.setattr(sys, 'argv', ['demo.py'])
    demo['main']()
    table = (tmp_path / 'table.md').read_text()
    rows = [line.split(' | ')[0].strip('| ') for line in table.splitlines()[2:6]]
    assert rows == ['bicubic', 'both branches', 'deep branch only', 'shallow branch only']
    assert table.count('40,323') == 3  # equal numbers of parameters
    assert '35.19' in table and 'Done in' in capsys.readouterr().out  # bicubic of chelsea
    assert (tmp_path / 'crops.png').read_bytes().startswith(b'\x89PNG')
