"""A process gets its signal also if its parent has ended before."""

import os
import signal
import subprocess
import sys

from mmvitkd.utils import die_with_parent

import pytest


def run(parent, code):
    command = [
        sys.executable,
        die_with_parent.__file__,
        parent,
        int(signal.SIGTERM),
        '-c',
        code,
    ]
    return subprocess.run([*map(str, command), 'a b'], capture_output=True, text=True)


def test_a_script_is_run_with_its_arguments():
    done = run(os.getpid(), 'import os, sys; print(os.getppid(), sys.argv[1:])')
    assert done.stdout == f"{os.getpid()} ['a b']\n"


@pytest.mark.parametrize('parent', [1, 2**30])
def test_a_parent_that_has_ended(parent):
    assert run(parent, 'print(1)').returncode == -signal.SIGTERM
