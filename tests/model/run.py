"""One run: its seed chooses the clients, their clocks, the weather, and then every single step.

Most mistakes need few changes of who is next, at the right places. So clients take turns: each
goes on alone for a while, often until just before a call that matters, and then much time may pass.
"""

from datetime import timedelta
from random import Random

from attrs import frozen
from tests.model import work as verbs
from tests.model.checker import MARGIN, ViolationError
from tests.model.machinery import Patch, replaced
from tests.model.scheduler import Task
from tests.model.stores import Call, Remembering
from tests.model.work import Work
from tests.model.world import Client, World

from brownie_backup.format.layout import BLOBS, LEASES, name_in

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
END = "the end"
_RENEWED = (None, 0, 1, 1000)
STEPS = 200

_PLACES = {
    "backup": ("main: put manifests/", "main: put blobs/", "main: list leases/"),
    "cleanup": ("main: delete manifests/", "main: delete blobs/", "main: put leases/"),
    "deletion": ("main: delete manifests/",),
}
"""Calls before which it matters most what others do; for each verb."""
_WRITES = ("main: put manifests/", "main: delete manifests/", "main: delete blobs/", "lease: put")
"""Calls that matter most not to be answered."""


@frozen
class Weather:
    """How likely it is that a call fails, or is the last of its process."""

    fault: float = 0
    kill: float = 0
    lost: str = "-"
    """Which calls are often given up, and carried out later."""
    skew: timedelta = timedelta(0)
    """How much the clock of the second client is ahead of the store's."""

    @classmethod
    def choose(cls, random: Random) -> "Weather":
        """Choose one: in many runs nothing fails."""
        return cls(
            random.choice((0, 0.02)),
            random.choice((0, 0.02)),
            random.choice((*_WRITES, "-", "-", "-", "-")),
            timedelta(seconds=random.choice((0, 0, 50, -1000, 21_600, -21_600))),
        )


@frozen
class Plot:
    """What may go wrong: one client stops in the middle of its work, and another one comes."""

    first: str = "backup"
    place: str = ""
    """Before which call the first one stops; or somewhere."""
    minutes: int = 0
    """How much time passes then."""
    renewed: int | None = None
    """How many calls of each renewal get through meanwhile; None, if none is tried."""
    second: str = "cleanup"

    @classmethod
    def choose(cls, random: Random) -> "Plot":
        """Choose one."""
        first, second = random.choice((("backup", "cleanup"), ("cleanup", "backup"), ("", "")))
        first = first or random.choice(verbs.VERBS)
        return cls(
            first,
            random.choice(("", *_PLACES.get(first, ()))),
            random.choice((0, 0, 5, 8, 13, 13, 40)),
            random.choice(_RENEWED),
            second or random.choice(verbs.VERBS),
        )


class Run:
    """A number of steps, and a look at what is left."""

    def __init__(
        self,
        seed: int,
        *,
        steps: int = STEPS,
        mutation: Patch | None = None,
        plot: Plot | None = None,
        weather: Weather | None = None,
    ) -> None:
        self.seed = seed
        self._steps = steps
        self._mutation = mutation
        self._random = Random(seed)  # noqa: S311 - to be repeated
        self.world = World(self._random)
        self._weather = weather or Weather.choose(self._random)
        self._plot = plot or Plot.choose(self._random)
        skews = (timedelta(0), self._weather.skew, timedelta(0))[: self._random.choice((2, 2, 3))]
        self.world.clients = [
            Client(f"client {number}", skew, self._random.choice((None, Remembering())))
            for number, skew in enumerate(skews, 1)
        ]

    def go(self) -> None:
        """Take the steps; raise `ViolationError` when a promise is broken."""
        with replaced(self.world.scheduler, self._random, self._mutation):
            try:
                while self.world.steps < self._steps:
                    self._act()
                self._settle()
            except ViolationError:
                raise
            except Exception as error:
                raise ViolationError(f"unexpected: {error!r}") from error
            finally:
                for client in self.world.clients:
                    self.world.kill(client)

    def _act(self) -> None:
        """Begin when nobody works: some stop in the middle, others come; and all go on."""
        chance = self._random.random
        if chance() < 0.7:
            self._leave_blobs()
        plot = self._plot if chance() < 0.7 else Plot.choose(self._random)
        first, second, *others = self._random.sample(self.world.clients, len(self.world.clients))
        self._begin(first, plot.first)
        self._take(first, plot.place)
        self._wait(plot.minutes * MINUTE, plot.renewed)
        self._begin(second, plot.second)
        self._take(second, END if chance() < 0.7 else "")
        for client in others:
            self._begin(client, self._random.choice(verbs.VERBS))
        while self.world.under_way and chance() < 0.5:
            self.world.land()
        while busy := [client for client in self.world.clients if client.process]:
            client = self._random.choice(busy)
            if chance() < 0.1:
                self._stop(client)
            self._take(client, self._random.choice((END, "")))
            if chance() < 0.2:
                self._wait(self._random.choice((1, 5, 13)) * MINUTE, self._random.choice(_RENEWED))

    def _stop(self, client: Client) -> None:
        """End a process, at once or in order."""
        if client.main and isinstance(client.main.waiting, Call) and self._random.random() < 1 / 2:
            self.world.answer(client, client.main, client.main.waiting, "interrupted-")
        else:
            self.world.kill(client)

    def _leave_blobs(self) -> None:
        """Have a backup end before it exists, and a day pass."""
        work = verbs.backup(self._random, pieces=verbs.POOL)
        end = self._random.choice(("killed-", "interrupted-", "interrupted-"))
        if len(self._unnamed()) < len(verbs.POOL) - 1:
            client = self.world.clients[0]
            self.world.alone(client, work, lambda call: end if call.makes_a_backup else "")
        self.world.spend(30 * HOUR)

    def _unnamed(self) -> set[str]:
        backups = self.world.model.backups.values()
        named = {ref.name for known in backups for ref in known.manifest.blobs}
        return {name_in(found.key) for found in self.world.store.list(BLOBS)} - named

    def _settle(self) -> None:
        """Once nobody works any more, everything must work again, and nothing be left over."""
        while self.world.under_way:
            self.world.land()
        self.world.spend(13 * MINUTE)
        for database in verbs.DATABASES:  # or the cleanup refuses, if its last backup failed
            self._must(verbs.backup(self._random, database=database))
        self.world.spend(MARGIN + HOUR)
        self._must(verbs.cleanup(self._random, many=True))
        if left := self._unnamed():
            raise ViolationError(f"blobs are left that nothing names: {left}")
        if [*self.world.store.list(LEASES)]:
            raise ViolationError("leases are left")

    def _must(self, work: Work) -> None:
        self.world.alone(self.world.clients[0], work)
        if not work.succeeded:
            raise ViolationError(f"{work} fails although nobody is in the way: {work.error!r}")

    # --- turns -----------------------------------------------------------------------------------

    def _begin(self, client: Client, verb: str) -> None:
        names = [*self.world.model.backups] or verbs.NAMES
        self.world.start(client, verbs.work(verb, self._random.choice(names), self._random))

    def _take(self, client: Client, until: str) -> None:
        """Let a client go on alone until such a call, or its end, or for some calls."""
        calls = 1000 if until else self._random.choice((1, 3, 8, *range(10, 30)))
        for number in range(calls):
            ready = self.world.ready(client)
            if not ready:
                return
            task = self._random.choice(ready)
            call = task.waiting
            if not isinstance(call, Call):
                self.world.resume(client, task)
            elif number and until and f"{task.name}: {call}".startswith(until):
                return
            else:
                self.world.answer(client, task, call, self._fate(client, task, call))

    def _fate(self, client: Client, task: Task, call: Call) -> str:
        weather, chance = self._weather, self._random.random
        late = self.world.too_late(call)
        where = f"{task.name}: {call}"
        if where.startswith(weather.lost) and not late and chance() < 0.3:
            return "fails~"
        more = 3 if where.startswith(_WRITES) else 1
        when = self._random.choice("-+~") if call.writes and not late else "-"
        if chance() < weather.kill * more:
            return "killed" + when
        if task is client.main and chance() < weather.fault / 5:
            return "interrupted" + when
        return "fails" + when if late or chance() < weather.fault * more else ""

    def _wait(self, span: timedelta, renewed: int | None) -> None:
        """Let time pass, in which leases are renewed, or are not."""
        left = {client.name: renewed or 0 for client in self.world.clients}
        while renewed is not None and span > 4 * MINUTE:
            self.world.spend(4 * MINUTE)
            span -= 4 * MINUTE
            for client in self.world.clients:
                left[client.name] = self._renew(client, left[client.name])
        if span:
            self.world.spend(span * self._random.uniform(0.95, 1.05))

    def _renew(self, client: Client, calls: int) -> int:
        """Let the renewal of a lease make so many calls; return how many are left."""
        for task in self.world.ready(client):
            while task is not client.main and self.world.scheduler.ready(task):
                call = task.waiting
                if not isinstance(call, Call):
                    self.world.resume(client, task)
                elif not calls:
                    break
                else:
                    calls -= 1
                    self.world.answer(client, task, call, self._fate(client, task, call))
        return calls
