"""The benchmark of the cache's reader reads complete views, and writes what it found."""

import json
import sys

import cache_reader
import pytest


def test_it_prints_and_writes(tmp_path, monkeypatch, capsys):
    written = tmp_path / 'times.json'
    options = '--batch-size 2 --batches 3 --rounds 2 --json'
    monkeypatch.setattr(sys, 'argv', ['cache_reader.py', *options.split(), str(written)])
    cache_reader.main()
    content = json.loads(written.read_text())
    seconds = content['seconds']
    assert {name: len(times) for name, times in seconds.items()} == {
        'bytes, from memory': 2,
        'bytes, from disk': 2,
        'outputs, from memory': 2,
        'outputs, from disk': 2,
    }
    assert content['row_bytes'] == 196 * 384 + 4 * 196 + 20 * (2 + 2) + 4
    printed = capsys.readouterr().out
    assert '76,132 bytes a view' in printed
    assert all(f'| {name} | ' in printed for name in seconds)


@pytest.mark.parametrize('key', ['batch-size', 'batches', 'rounds'])
def test_numbers_below_one_are_refused(monkeypatch, capsys, key):
    monkeypatch.setattr(sys, 'argv', ['cache_reader.py', f'--{key}', '0'])
    with pytest.raises(SystemExit):
        cache_reader.main()
    assert f'--{key}: wanted 1 or more' in capsys.readouterr().err
