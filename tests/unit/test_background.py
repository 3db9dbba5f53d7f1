"""What is done in threads that keep nobody waiting."""

import subprocess
import sys
import threading
import time
from contextvars import ContextVar

import pytest

from brownie_backup.concurrency.background import BackgroundThreads, begin

WHO: ContextVar[str] = ContextVar("WHO")

FORKED = """
import os, warnings
from brownie_backup.concurrency.background import begin
warnings.simplefilter("ignore")  # newer Pythons warn of threads before a fork
begin(int).result(5)
pid = os.fork()
if pid == 0:
    os._exit(begin(lambda: 7).result(5))
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_what_comes_of_it_is_returned_or_raised() -> None:
    assert begin(lambda: 7).result(5) == 7
    with pytest.raises(ZeroDivisionError):
        begin(lambda: 1 / 0).result(5)


def test_a_thread_is_used_again() -> None:
    seen = set()
    for _ in range(200):
        seen.add(begin(threading.get_ident).result(5))
        time.sleep(0.0005)  # it waits for more a moment after its result is there
    assert len(seen) < 50


def test_what_hangs_keeps_no_other_from_its_work() -> None:
    released = threading.Event()
    hanging = [begin(released.wait) for _ in range(20)]
    assert [begin(lambda: 7).result(5) for _ in range(20)] == [7] * 20
    released.set()
    assert all(future.result(5) for future in hanging)


def test_each_knows_what_it_works_for() -> None:
    found = []
    for name in ("one", "two"):
        token = WHO.set(name)
        found.append(begin(WHO.get).result(5))
        WHO.reset(token)
    assert found == ["one", "two"]


def test_a_thread_without_work_ends() -> None:
    threads = BackgroundThreads(idle_seconds=0.05)
    thread = threads.begin(threading.current_thread).result(5)
    thread.join(5)
    assert not thread.is_alive()
    again = threads.begin(threading.current_thread).result(5)
    assert again is not thread


def test_a_forked_process_begins_threads_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], check=True, capture_output=True)
    assert done.stdout == b"7\n"
