"""Child scripts run on one thread, are logged, and end with this process."""

import fcntl
import os
import signal
import subprocess
import sys
import time

import mmvitkd  # noqa: F401
from mmvitkd.utils import subprocesses
from mmvitkd.utils.subprocesses import Subprocesses, tail_log

import pytest


@pytest.fixture
def script(tmp_path):
    def write(text):
        path = tmp_path / 'script.py'
        path.write_text(text)
        return path

    return write


def test_a_script_runs_on_one_thread_into_its_log(script, tmp_path):
    code = 'import os, sys; print(os.environ["OMP_NUM_THREADS"], os.environ["A"], sys.argv[1])'
    log = tmp_path / 'new' / 'log'
    with Subprocesses() as scripts:
        assert scripts.start([script(code), 'given'], log, A='b').wait() == 0
    assert log.read_text() == '1 b given\n'


def test_an_error_in_the_context_ends_the_scripts(script, tmp_path):
    path = script('import time; time.sleep(60)')
    with pytest.raises(KeyboardInterrupt), Subprocesses() as scripts:
        processes = [scripts.start([path], tmp_path / f'{i}.log') for i in range(2)]
        assert [p.poll() for p in processes] == [None, None]
        raise KeyboardInterrupt
    assert all(p.poll() is not None for p in processes)


def test_a_script_that_ignores_sigterm_is_killed(script, tmp_path, monkeypatch):
    monkeypatch.setattr(subprocesses, 'TERMINATE_TIMEOUT', 0.2)
    code = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)'
    log = tmp_path / 'log'
    with Subprocesses() as scripts:
        process = scripts.start([script(f'{code}; print(1, flush=True); time.sleep(60)')], log)
        while not log.read_text():
            time.sleep(0.02)
    assert process.returncode == -signal.SIGKILL


PARENT = f"""
import sys, threading, time
from pathlib import Path
sys.path.insert(0, {os.path.dirname(subprocesses.__file__)!r})
from subprocesses import Subprocesses
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
with Subprocesses() as scripts:
    scripts.start(sys.argv[1:], Path(sys.argv[1]).with_name('log')).wait()
"""
CHILD = """
import fcntl, pathlib, sys, time
file = open(sys.argv[1], 'w')
fcntl.flock(file, fcntl.LOCK_EX)
print('locked', flush=True)
time.sleep(8)
pathlib.Path(sys.argv[1]).with_name('survived').touch()
"""


def test_a_script_ends_when_this_process_is_killed(script, tmp_path):
    lock, log = tmp_path / 'lock', tmp_path / 'log'
    with subprocess.Popen([sys.executable, '-c', PARENT, script(CHILD), lock]) as parent:
        while not (log.exists() and log.read_text()):
            time.sleep(0.02)
        parent.kill()
    with open(lock) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # waits for the script to end
    assert not (tmp_path / 'survived').exists()


def test_the_end_of_a_log(tmp_path):
    (tmp_path / 'log').write_bytes(b'one\ntwo \xff\nthree\n')
    assert tail_log(tmp_path / 'log', lines=2) == 'two \ufffd\nthree\n'
