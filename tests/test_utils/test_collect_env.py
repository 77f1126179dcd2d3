"""An experiment records its commit, versions and hardware."""

import shutil
import subprocess

import mmvitkd
from mmvitkd.utils.collect_env import commit_of, hardware, versions

import pytest


@pytest.fixture
def clone(tmp_path):
    if shutil.which('git') is None:
        pytest.skip('there is no git')
    who = ['-c', 'user.name=A', '-c', 'user.email=a@b.c']
    (tmp_path / 'code.py').write_text('1\n')
    for command in (['init', '-q'], ['add', '.'], [*who, 'commit', '-qm', 'first']):
        subprocess.run(['git', '-C', str(tmp_path), *command], check=True)
    return tmp_path


def test_the_commit_of_a_clone(clone):
    head = subprocess.check_output(['git', '-C', str(clone), 'rev-parse', 'HEAD'], text=True)
    assert commit_of(clone) == head.strip()
    (clone / 'results.json').write_text('{}')  # what no commit has does not count
    assert commit_of(clone) == head.strip()
    (clone / 'code.py').write_text('2\n')
    assert commit_of(clone) == f'{head.strip()} with local changes'


def test_a_folder_inside_of_somebody_elses_clone_has_none(clone):
    (clone / 'site-packages').mkdir()
    assert commit_of(clone / 'site-packages') is None


def test_without_git_there_is_none(clone, monkeypatch):
    monkeypatch.setenv('PATH', '')
    assert commit_of(clone) is None


def test_versions_and_hardware_are_plain():
    assert versions()['mmvitkd'] == mmvitkd.__version__
    assert all(versions()[name] for name in ('python', 'torch', 'mmpretrain', 'scipy'))
    assert hardware()['cores'] >= 1
