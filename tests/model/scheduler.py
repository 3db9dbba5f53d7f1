"""Runs the threads of several clients one at a time, in an order that is chosen and so repeatable.

A client's thread goes on until it would wait: for an answer of the store, for some time to pass,
for another of its threads. Then it hands over to the scheduler, which says who is next.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

from attrs import define, field

P = ParamSpec("P")
T = TypeVar("T")


class InterruptedBackups(BaseException):
    """The process of this thread is gone: whatever the thread still tries has no effect."""


@define(eq=False)
class Process:
    """One life of a client: its threads, which are suspended together and die together."""

    name: str
    skew: timedelta
    """How much its clock is ahead of the store's."""
    tasks: "list[Task]" = field(factory=list)
    dead: bool = False

    @property
    def idle(self) -> bool:
        """Whether all it was asked for is done."""
        return all(task.done for task in self.tasks)


@define(eq=False)
class Pause:
    """What a thread waits for that is no answer: a condition, or some time if that is sooner."""

    over: Callable[[], bool]
    until: datetime | None = None


class Task:
    """A thread of a process, that runs only while the scheduler waits for it."""

    def __init__(self, process: Process, name: str, work: Callable[[], None]) -> None:
        self.process = process
        self.name = name
        self.waiting: object = Pause(lambda: True)
        """What it waits for: a `Pause`, or anything else that the scheduler's owner answers."""
        self.done = False
        self.error: BaseException | None = None
        """What ended it, if that was neither its work's own end nor its process's death."""
        self.turn = threading.Lock()
        self.turn.acquire()
        self.answer: object = None
        self.refusal: BaseException | None = None
        self._work = work
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.hand_over: Callable[[], None] = lambda: None

    def _run(self) -> None:
        self.turn.acquire()
        try:
            if not self.process.dead:
                self._work()
        except InterruptedBackups:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised again, by the one who looks
            self.error = error
        finally:
            self.waiting = None
            self.done = True
            self.hand_over()


class Scheduler:
    """Knows the time, and lets one thread go on at a time."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        """The store's time."""
        self._running: Task | None = None
        self._back = threading.Lock()
        self._back.acquire()

    def spawn(self, process: Process, name: str, work: Callable[[], None]) -> Task:
        """Make a thread of a process. It begins when it is first resumed."""
        task = Task(process, name, work)
        task.hand_over = self._back.release
        process.tasks[:] = [other for other in process.tasks if not other.done]
        process.tasks.append(task)
        task.thread.start()
        return task

    def ready(self, task: Task) -> bool:
        """Whether a thread could go on now."""
        if task.done:
            return False
        if isinstance(task.waiting, Pause):
            pause = task.waiting
            return pause.over() or (pause.until is not None and pause.until <= self.now)
        return True

    def resume(self, task: Task, answer: object = None, error: BaseException | None = None) -> None:
        """Let a thread go on, with an answer or an error, until it waits again or ends."""
        assert not task.done
        task.answer, task.refusal = answer, error
        self._running = task
        task.turn.release()
        self._back.acquire()
        self._running = None
        if task.error:
            raise task.error

    def wait_for(self, what: object) -> object:
        """Hand over until there is an answer to `what`; called by a thread that we made."""
        task = self.running
        if task.process.dead:
            raise InterruptedBackups
        task.waiting = what
        self._back.release()
        task.turn.acquire()
        if task.refusal:
            raise task.refusal
        return task.answer

    @property
    def running(self) -> Task:
        """The thread that asks."""
        task = self._running
        if task is None or task.thread is not threading.current_thread():
            msg = "a thread that the scheduler does not know calls the store"
            raise RuntimeError(msg)
        return task

    def kill(self, process: Process) -> None:
        """End a process at once: none of its threads reaches the store or renews a lease again."""
        process.dead = True
        for task in process.tasks:
            if not task.done:
                self.resume(task, error=InterruptedBackups())
        assert process.idle


class VirtualThreading:
    """Stands in for the module `threading` where leases are renewed: by the store's time."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def Event(self) -> "VirtualEvent":  # noqa: N802 - the module's name for it
        """Return an event."""
        return VirtualEvent(self._scheduler)

    def Thread(  # noqa: N802 - the module's name for it
        self, *, target: Callable[[], None], name: str, daemon: bool
    ) -> "VirtualThread":
        """Return a thread of the process that asks."""
        return VirtualThread(self._scheduler, name, target)


class VirtualEvent:
    """An event whose `wait` is one for the scheduler."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._happened = False

    def set(self) -> None:
        """Wake who waits."""
        self._happened = True

    def wait(self, timeout: float) -> bool:
        """Wait until it happened, or some time has passed."""
        until = self._scheduler.now + timedelta(seconds=timeout)
        if not self._happened:
            self._scheduler.wait_for(Pause(lambda: self._happened, until))
        return self._happened


class VirtualThread:
    """A thread whose turn the scheduler chooses."""

    def __init__(self, scheduler: Scheduler, name: str, target: Callable[[], None]) -> None:
        self._scheduler = scheduler
        self._name = name
        self._target = target
        self._task: Task | None = None

    def start(self) -> None:
        """Make it one of the scheduler's."""
        process = self._scheduler.running.process
        if process.dead:
            raise InterruptedBackups
        self._task = self._scheduler.spawn(process, self._name, self._target)

    def is_alive(self) -> bool:
        """Whether it still works."""
        return self._task is not None and not self._task.done

    def join(self) -> None:
        """Wait for its end."""
        self._scheduler.wait_for(Pause(lambda: not self.is_alive()))


class InlineExecutor:
    """Stands in for a pool of threads: does what is submitted at once."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do it; return a future that knows how it ended."""
        future: Future[T] = Future()
        try:
            future.set_result(work(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - a pool keeps every error for who asks
            future.set_exception(error)
        return future

    def shutdown(self, *, wait: bool = True, cancel_futures: bool = False) -> None:
        """Do nothing: nothing is left."""
