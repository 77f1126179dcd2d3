"""`--help` of every tool: at once, without torch, and as a user can type it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mmvitkd
from mmvitkd.__main__ import find_tools

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = [path for path in find_tools().values() if path.suffix == '.py']

# Ends at the first tool that imports torch: after it every tool would seem to.
HELP_OF_ALL = """
import contextlib, importlib.util, io, json, pathlib, sys
texts = {}
for path in sys.argv[1:]:
    spec = importlib.util.spec_from_file_location('tool', path)
    tool = importlib.util.module_from_spec(spec)
    sys.argv = [path, '--help']
    sys.path[0] = str(pathlib.Path(path).parent)
    with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
        spec.loader.exec_module(tool)
        tool.main()
    texts[path] = text.getvalue()
    assert 'torch' not in sys.modules, path
print(json.dumps(texts))
"""


def run(*command):
    """The output of a new Python process."""
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=os.environ | dict(PYTHONPATH=str(ROOT), COLUMNS='80'),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_no_tool_imports_torch_for_it():
    texts = json.loads(run('-c', HELP_OF_ALL, *TOOLS))
    for path, text in texts.items():
        assert text.startswith(f'usage: {Path(path).name} [-h]'), path
        assert len(text.splitlines()) > 4, path


WITHOUT_TORCH = """
import runpy, sys
sys.modules['torch'] = None
sys.argv = ['mmvitkd', *sys.argv[1:]]
runpy.run_module('mmvitkd', run_name='__main__', alter_sys=False)
"""


@pytest.mark.parametrize('arguments', [[], ['--help'], ['train', '--help']], ids=str)
def test_python_m_mmvitkd_needs_no_torch(arguments):
    text = run('-c', WITHOUT_TORCH, *arguments)
    tool = f' {arguments[0]} ' if len(arguments) > 1 else ' TOOL '
    assert text.startswith(f'usage: python -m mmvitkd{tool}[')


@pytest.mark.parametrize(
    ('argv', 'orig_argv', 'only_help'),
    [
        (['-m'], ['python', '-m', 'mmvitkd'], True),
        (['-m', '--help'], ['python', '-m', 'mmvitkd', '--help'], True),
        (['-m', 'train', '-h'], ['python', '-P', '-m', 'mmvitkd', 'train', '-h'], True),
        (['/bin/mmvitkd', '-h'], ['python', '/bin/mmvitkd', '-h'], True),
        (['-m', 'train', 'a.py'], ['python', '-m', 'mmvitkd', 'train', 'a.py'], False),
        (['-m', '--help'], ['python', '-m', 'another', '--help'], False),
        (['/bin/another', 'mmvitkd'], ['python', '/bin/another', 'mmvitkd'], False),
        (['tool.py', '--help'], ['python', 'tool.py', '--help'], False),
        (['-c'], ['python', '-c', 'import mmvitkd'], False),
        ([''], ['python'], False),
        ([], ['python'], False),
    ],
    ids=str,
)
def test_the_package_is_whole_for_everything_else(monkeypatch, argv, orig_argv, only_help):
    monkeypatch.setattr(sys, 'argv', argv)
    monkeypatch.setattr(sys, 'orig_argv', orig_argv)
    assert mmvitkd._only_help() is only_help
