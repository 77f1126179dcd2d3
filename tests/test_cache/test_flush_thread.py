"""Items reach the function once, in order, also after errors and forks."""

import os
import signal
import threading
import time

import mmvitkd  # noqa: F401
from mmvitkd.cache.flush_thread import FlushThread

import pytest

NEVER = 1e6  # seconds


@pytest.fixture
def calls():
    return []


def test_the_thread_hands_items_over(calls):
    done = threading.Event()
    thread = FlushThread(lambda items: (calls.extend(items), done.set()), 0.001)
    thread.add(1)
    assert done.wait(10)
    thread.close()
    assert calls == [1]


@pytest.mark.parametrize('end', [FlushThread.flush, FlushThread.close])
def test_waiting_hands_over_what_is_left(calls, end):
    thread = FlushThread(calls.append, NEVER)
    thread.add(1)
    thread.add(2)
    end(thread)
    end(thread)
    thread.close()
    assert calls == [[1, 2]]


def test_no_thread_without_items(calls):
    before = threading.active_count()
    thread = FlushThread(calls.append, NEVER)
    assert threading.active_count() == before
    thread.add(1)
    assert threading.active_count() == before + 1
    thread.close()
    assert threading.active_count() == before


def test_items_may_follow_a_close(calls):
    thread = FlushThread(calls.append, NEVER)
    thread.close()
    thread.add(1)
    thread.close()
    assert calls == [[1]]


def failing_once(calls):
    def work(items):
        calls.append(items)
        if len(calls) == 1:
            raise OSError('full')

    return work


def test_an_error_in_the_thread_is_raised_once(calls):
    thread = FlushThread(failing_once(calls), 0.001)
    thread.add(1)
    for _ in range(1000):
        if thread._error is None:
            time.sleep(0.01)
    with pytest.raises(OSError, match='full'):
        thread.raise_error()
    thread.add(2)
    thread.close()
    assert calls == [[1], [2]]


def test_closing_hands_over_the_rest_before_it_raises_an_error(calls):
    thread = FlushThread(failing_once(calls), NEVER)
    thread.add(1)
    with pytest.raises(OSError, match='full'):
        thread.flush()
    thread._error = OSError('of the thread')
    thread.add(2)
    with pytest.raises(OSError, match='of the thread'):
        thread.close()
    assert calls == [[1], [2]]


def test_a_forked_process_starts_empty_while_the_thread_works(calls):
    started, go_on = threading.Event(), threading.Event()

    def work(items):
        calls.extend(items)
        started.set()
        go_on.wait(10)

    thread = FlushThread(work, 0.001)
    thread.add(1)
    assert started.wait(10)
    thread.add(2)
    child = os.fork()
    if child == 0:  # its copy of the lock is held, by no one
        signal.alarm(10)
        calls.clear()
        go_on.set()
        thread.flush()
        thread.add(3)
        thread.close()
        os._exit(0 if calls == [3] else 1)
    assert os.waitpid(child, 0)[1] == 0
    go_on.set()
    thread.close()
    assert calls == [1, 2]
