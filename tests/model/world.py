"""The world of a run: one store, its clock, some clients, and what becomes of each request."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from attrs import define, field
from tests.model.checker import IN_FLIGHT, MARGIN, Known, Model
from tests.model.scheduler import Pause, Process, Scheduler, Task
from tests.model.stores import Call, Remembering, SteppedStore
from tests.model.work import Work
from tests.unit.fakes import NOON, make_repository

from brownie_backup.errors import BackupError, StoreUnavailable
from brownie_backup.stores import MemoryStore

ABANDONED = MARGIN - timedelta(hours=4)
"""A request that was under way for so long is never carried out."""


@define(eq=False)
class Client:
    """A machine with a clock, where one verb after the other is called, each in a process."""

    name: str
    skew: timedelta
    cache: Remembering | None = None
    process: Process | None = None
    """The process, while there is one."""
    main: Task | None = None
    work: Work | None = None
    before: dict[str, Known] = field(factory=dict)
    """The backups that there were when the work began."""


class World:
    """What can happen. Whoever directs it chooses what does."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.scheduler = Scheduler(NOON)
        # Stores tell times by the second.
        self.store = MemoryStore(lambda: self.now().replace(microsecond=0))
        self.model = Model(make_repository(self.store, clock=self.now))
        self.clients: list[Client] = []
        self.under_way: list[Call] = []
        """Writes that their senders have given up, and that may still be carried out."""
        self.steps = 0
        """How many requests were answered."""
        self.trace: list[str] = []

    def now(self) -> datetime:
        """Return the store's time."""
        return self.scheduler.now

    def start(self, client: Client, work: Work) -> None:
        """Begin a piece of work in a new process."""
        process = Process(client.name, client.skew)
        store = SteppedStore(self.store, self.scheduler, process, self.random, work)
        repository = make_repository(
            store, clock=lambda: self.now() + client.skew, cache=client.cache
        )

        def run() -> None:
            try:
                work.result = work.do(repository)
            except (BackupError, KeyboardInterrupt) as error:
                work.error = error
            work.ended = True

        self.model.begins(work)
        client.process, client.work, client.before = process, work, {**self.model.backups}
        self.say(f"{client.name} begins: {work}")
        client.main = self.scheduler.spawn(process, "main", run)

    def resume(
        self,
        client: Client,
        task: Task,
        answer: object = None,
        error: BaseException | None = None,
    ) -> None:
        """Let a thread go on; look at the outcome if that was its process's end."""
        self.scheduler.resume(task, answer, error)
        if client.process and client.process.idle:
            assert client.work
            client.process = None
            self.say(f"{client.name} ends: {client.work.error or 'well'!r}")
            self.model.ended(client.work, client.before)

    def kill(self, client: Client) -> None:
        """End a client's process, as SIGKILL does."""
        if client.process:
            self.scheduler.kill(client.process)
            client.process = None

    def answer(self, client: Client, task: Task, call: Call, fate: str = "") -> None:
        """Carry a request out, or not.

        Args:
            client: who has sent it.
            task: which of its threads.
            call: the request.
            fate: nothing, if all goes well; else ``fails``, ``interrupted`` or ``killed``, and
                ``-`` before it had an effect, ``+`` after, ``~`` for an effect later.
        """
        self.steps += 1
        self.say(f"{client.name} {call} {fate}")
        answer, refusal = None, None
        if fate.endswith("~"):
            self.under_way.append(call)
        elif not fate.endswith("-"):
            answer, refusal = self._perform(call)
        if fate.startswith("killed"):
            self.kill(client)
        elif fate.startswith("interrupted"):
            self.resume(client, task, error=KeyboardInterrupt())
        elif fate:
            self.resume(client, task, error=StoreUnavailable("no answer"))
        else:
            self.resume(client, task, answer, refusal)

    def too_late(self, call: Call) -> bool:
        """Whether a request was under way for longer than any is.

        One that removes what may be part of a backup has to be quick: no lease can help against
        a removal that its sender believed to be in time and that comes when the lease has expired.
        """
        return call.writes and self.now() - call.asked_at > (
            IN_FLIGHT if call.destroys else ABANDONED
        )

    def land(self) -> None:
        """Carry out a request that its sender has given up."""
        call = self.under_way.pop(self.random.randrange(len(self.under_way)))
        if not self.too_late(call):
            self.steps += 1
            self.say(f"{call.process.name} {call} of {call.work}, at last")
            self._perform(call)

    def _perform(self, call: Call) -> tuple[object, BackupError | None]:
        try:
            answer = call.perform()
        except BackupError as refusal:
            return None, refusal
        if call.writes:
            self.model.watch(call, self.now())
        return answer, None

    def alone(self, client: Client, work: Work, fate: Callable[[Call], str] = lambda _: "") -> None:
        """Let a client do a piece of work while nobody else does anything."""
        self.start(client, work)
        while client.process:
            task = next(iter(self.ready(client)))
            if isinstance(task.waiting, Call):
                self.answer(client, task, task.waiting, fate(task.waiting))
            else:
                self.resume(client, task)

    def ready(self, client: Client) -> list[Task]:
        """Return the threads of a client that can go on, at the latest after a short wait."""
        tasks = client.process.tasks if client.process else []
        ready = [task for task in tasks if self.scheduler.ready(task)]
        if not ready and client.main and client.process:
            waiting = client.main.waiting
            if isinstance(waiting, Pause) and waiting.until:
                self.spend(waiting.until - self.now())
                ready = [client.main]
        return ready

    def spend(self, span: timedelta) -> None:
        """Let time pass."""
        self.scheduler.now += span
        self.say(f"{span} pass")

    def say(self, what: str) -> None:
        """Write a line of the trace."""
        passed = str(self.now() - NOON).partition(".")[0]
        self.trace.append(f"{self.steps:5} {passed:>16} {what}")
