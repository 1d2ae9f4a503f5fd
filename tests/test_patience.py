import os
import signal
import threading
import time

import pytest

from l9.store.patience import GivenUp, at_once, watched


def test_work_in_a_thread_returns_and_raises_as_it_would_here():
    assert watched(lambda beat: threading.current_thread() is not threading.main_thread(), 1.0)
    with pytest.raises(KeyError, match="mine"):
        watched(lambda beat: {}["mine"], 1.0)


def test_silence_ends_the_wait_and_then_the_work():
    ended = threading.Event()

    def silent(beat):
        time.sleep(0.6)
        try:
            beat()
        except GivenUp:
            ended.set()

    start = time.monotonic()
    with pytest.raises(TimeoutError, match="no answer for 0 s"):
        watched(silent, 0.2)
    assert time.monotonic() - start < 0.6
    assert ended.wait(2)


def test_work_that_beats_may_take_as_long_as_it_likes():
    def steady(beat):
        for _ in range(8):
            time.sleep(0.1)
            beat()
        return "done"

    assert watched(steady, 0.4) == "done"


def test_an_interrupt_ends_the_wait():
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        watched(lambda beat: time.sleep(2), 60)
    assert time.monotonic() - start < 1.5


def test_several_at_once_in_order():
    running, most, lock = [], [], threading.Lock()

    def work(item):
        with lock:
            running.append(item)
            most.append(len(running))
        time.sleep(0.02)
        with lock:
            running.remove(item)
        return item * 2

    assert at_once(work, range(30)) == [item * 2 for item in range(30)]
    assert 1 < max(most) <= 8


def test_the_first_error_ends_what_is_on_its_way_and_what_has_not_begun():
    begun = []

    def work(item):
        begun.append(item)
        if item == 0:
            time.sleep(0.1)
            raise ValueError("the first")
        watched(lambda beat: time.sleep(3), 60)

    start = time.monotonic()
    with pytest.raises(ValueError, match="the first"):
        at_once(work, range(100))
    assert time.monotonic() - start < 2.5 and len(begun) < 20
