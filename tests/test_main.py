"""`python -m mmvitkd`: what it lists, what it runs and how. Its process: test_packaging.py."""

import ast
import os
import sys

from mmvitkd import __main__ as dispatcher
from mmvitkd.package_data import data_folder, packaged_config

import pytest

TOOLS = data_folder() / 'tools'


@pytest.fixture(autouse=True)
def command_line(monkeypatch):
    """Give back the command line and the path, which a tool gets in their place."""
    monkeypatch.setattr(sys, 'argv', sys.argv)
    monkeypatch.setattr(sys, 'path', [*sys.path])


@pytest.fixture
def calls(monkeypatch):
    """The tools that would have run, and their arguments."""
    found = []
    for run in ('run_python', 'run_shell'):
        monkeypatch.setattr(dispatcher, run, lambda *call, run=run: found.append((run, *call)))
    return found


@pytest.mark.parametrize('arguments', [[], ['-h'], ['--help']], ids=str)
def test_without_a_tool_it_lists_all_with_their_first_lines(arguments, capsys, monkeypatch):
    monkeypatch.setattr(dispatcher, 'run_python', None)  # nothing is run or imported
    dispatcher.main(arguments)
    printed = capsys.readouterr().out
    assert printed.startswith('usage: python -m mmvitkd TOOL [ARGUMENTS]')
    rows = [line.split(maxsplit=1) for line in printed.splitlines()[2:]]
    files = [*TOOLS.rglob('*.py'), *TOOLS.rglob('*.sh')]
    files = [path for path in files if path.suffix == '.sh' or 'main()' in path.read_text()]
    assert sorted(name for name, _ in rows) == sorted(path.stem for path in files)
    said = dict(rows)
    docstring = ast.get_docstring(ast.parse((TOOLS / 'train.py').read_text()))
    assert said['train'] == docstring.splitlines()[0]
    assert said['dist_train'] == (TOOLS / 'dist_train.sh').read_text().splitlines()[1][2:]


def test_a_tool_runs_with_its_arguments(calls):
    dispatcher.main(['train', 'config.py', '--work-dir', 'here'])
    dispatcher.main(['mnist5k', '--out', 'data'])
    dispatcher.main(['dist_train', 'config.py', '2'])
    assert calls == [
        ('run_python', TOOLS / 'train.py', ['config.py', '--work-dir', 'here']),
        ('run_python', TOOLS / 'dataset_converters' / 'mnist5k.py', ['--out', 'data']),
        ('run_shell', TOOLS / 'dist_train.sh', ['config.py', '2']),
    ]


def test_a_config_of_ours_is_given_by_its_path(calls):
    dispatcher.main(['train', 'mmvitkd::mnist5k/vit_32.py', '--resume'])
    path = str(packaged_config('mmvitkd::mnist5k/vit_32.py'))
    assert calls[0][2] == [path, '--resume']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['trian'], "mmvitkd: there is no tool 'trian'; did you mean train"),
        (['qqqq'], "mmvitkd: there is no tool 'qqqq'"),
        (['train', 'mmvitkd::nope.py'], 'mmvitkd: there is no config mmvitkd::nope.py'),
    ],
    ids=str,
)
def test_what_does_not_exist_is_an_error(calls, arguments, message):
    with pytest.raises(SystemExit) as error:
        dispatcher.main(arguments)
    assert str(error.value).startswith(message)
    assert calls == []


def test_the_usage_line_of_a_tool_can_be_typed(capsys):
    with pytest.raises(SystemExit) as error:
        dispatcher.main(['mnist5k', '--help'])
    assert error.value.code == 0
    assert capsys.readouterr().out.startswith('usage: python -m mmvitkd mnist5k [-h] [--out')


@pytest.mark.parametrize('given', [None, '/opt/python'])
def test_a_shell_tool_gets_this_python_unless_told_another(monkeypatch, given):
    monkeypatch.setenv('PYTHON', given or '')
    if given is None:
        monkeypatch.delenv('PYTHON')
    became = []
    monkeypatch.setattr(os, 'execvp', lambda *command: became.append(command))
    dispatcher.run_shell(TOOLS / 'dist_train.sh', ['config.py', '2'])
    assert became == [('bash', ['bash', str(TOOLS / 'dist_train.sh'), 'config.py', '2'])]
    assert os.environ['PYTHON'] == (given or sys.executable)
