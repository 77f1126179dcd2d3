"""One process at a time writes to a folder; the lock ends with it, however it ends."""

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys

from mmvitkd.utils import folder_lock as module
from mmvitkd.utils.folder_lock import LOCK, FolderInUseError, folder_lock, holder_of

import pytest

# Holds the lock in a process with a child that outlives it; both wait for their standard input.
HOLDER = f"""
import os, sys, types
package = types.ModuleType('utils')  # without `import mmvitkd`, which takes seconds
package.__path__ = [{os.path.dirname(module.__file__)!r}]
sys.modules['utils'] = package
from utils.folder_lock import folder_lock
with folder_lock(sys.argv[1], 'a training'):
    if not os.fork():
        print(os.getpid(), flush=True)  # by the child, once it has closed its copy
    sys.stdin.read()
    os._exit(0)
"""


@pytest.fixture
def holder(tmp_path):
    """The process that holds the folder's lock, and its child."""
    command = [sys.executable, '-c', HOLDER, tmp_path]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with subprocess.Popen(command, **pipes) as process:
        child = int(process.stdout.readline())
        yield process, child


def test_it_is_free_again_at_the_end_and_leaves_nothing(tmp_path):
    folder = tmp_path / 'new' / 'work'
    for _ in range(2):
        with folder_lock(folder, 'a training'):
            assert os.listdir(folder) == [LOCK] and LOCK.startswith('.')
    assert os.listdir(folder) == []


def test_the_second_is_told_who_is_first(tmp_path, holder):
    process, _ = holder
    with pytest.raises(FolderInUseError) as found, folder_lock(tmp_path, 'run_experiments'):
        pass
    assert found.value.holder['user'] == 'a training'
    assert found.value.holder['pid'] == process.pid
    message = str(found.value)
    for wanted in (tmp_path, 'a training', socket.gethostname(), process.pid, 'since 20'):
        assert str(wanted) in message
    assert '\n' not in message
    assert holder_of(tmp_path) == found.value.holder


def test_a_folder_that_nobody_holds(tmp_path):
    assert holder_of(tmp_path) == {}


def test_the_same_process_does_not_get_it_twice(tmp_path):
    with folder_lock(tmp_path, 'a training'):
        with pytest.raises(FolderInUseError, match=str(os.getpid())):
            folder_lock(tmp_path, 'a training').__enter__()
        with pytest.raises(FolderInUseError):  # a refusal leaves it locked
            folder_lock(tmp_path, 'a training').__enter__()


def test_a_killed_holder_loses_it_at_once_though_its_child_lives(tmp_path, holder):
    process, child = holder
    process.kill()
    process.wait()
    os.kill(child, 0)
    with folder_lock(tmp_path, 'a training'):
        assert json.loads((tmp_path / LOCK).read_text())['pid'] == os.getpid()


def test_a_forked_process_that_leaves_the_context_does_not_release_it(tmp_path):
    lock = folder_lock(tmp_path, 'a training')
    with lock:
        child = os.fork()
        if not child:
            lock.__exit__(None, None, None)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with pytest.raises(FolderInUseError, match='a training'):
            folder_lock(tmp_path, 'a training').__enter__()


@pytest.fixture
def without_locks(monkeypatch):
    """A file system that has no locks."""

    def refuse(*_):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(fcntl, 'flock', refuse)


def test_without_locks_a_living_holder_is_refused_and_a_dead_one_is_not(
    tmp_path, holder, without_locks
):
    process, _ = holder
    with pytest.raises(FolderInUseError, match=f'process {process.pid}.*remove .*{LOCK}'):
        folder_lock(tmp_path, 'a training').__enter__()
    process.send_signal(signal.SIGKILL)
    process.wait()
    with folder_lock(tmp_path, 'a training'):
        pass


@pytest.mark.parametrize(
    ('change', 'refused'),
    [(dict(host='elsewhere'), True), (dict(started='before'), False), (dict(pid=2**30), False)],
    ids=str,
)
def test_without_locks_the_file_tells(tmp_path, without_locks, change, refused):
    with folder_lock(tmp_path, 'a training'):
        record = (tmp_path / LOCK).read_text()
    (tmp_path / LOCK).write_text(json.dumps(json.loads(record) | change))
    if refused:
        with pytest.raises(FolderInUseError, match='elsewhere'):
            folder_lock(tmp_path, 'a training').__enter__()
    else:
        with folder_lock(tmp_path, 'a training'):
            pass


def test_a_broken_lock_file_is_replaced(tmp_path):
    (tmp_path / LOCK).write_text('{"host": ')
    with folder_lock(tmp_path, 'a training'):
        assert json.loads((tmp_path / LOCK).read_text())['user'] == 'a training'
