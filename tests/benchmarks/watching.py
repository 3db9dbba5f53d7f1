"""Running a command line as a user does, and what it took: of all its processes together.

Linux only: it reads /proc.
"""

import ctypes
import multiprocessing
import os
import resource
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from attrs import frozen

_EVERY_SECONDS = 0.05
_MORE_BYTES = 1 << 20
_PATIENCE_SECONDS = 5
"""How long what a command has left running may go on."""
_PR_SET_CHILD_SUBREAPER = 36
_TICKS = os.sysconf("SC_CLK_TCK")

_Files = dict[tuple[int, int], tuple[int, int]]
"""By device and number: how many bytes on disk, and how many names."""


@frozen
class Took:
    """What a command took, its children and theirs included."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    """The most memory at one time, what processes share counted once."""
    temporary_bytes: int
    """The most disk at one time: what was in TMPDIR, and files without a name."""
    status: int
    """As the shell says it."""


def watch(command: str, folder: Path, environ: Mapping[str, str], log: Path) -> Took:
    """Run a command line in a folder; what it prints goes to the end of a file.

    Args:
        command: for bash; it fails when any program of a pipe fails.
        folder: where it is run.
        environ: all of its environment; TMPDIR must be a folder that nobody else uses.
        log: the file.
    """
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawning) as pool:
        # A new process, so that all the children it ever had are of this command.
        return pool.submit(_watched, command, folder, dict(environ), log).result()


def server_cpu_seconds(postmaster: int) -> float:
    """Return what a server has taken so far, its sessions that have ended included."""
    ticks = sum(map(int, _stat(postmaster)[11:15]))  # its own, and of children it has waited for
    for process in _processes():
        try:
            fields = _stat(process)
        except OSError:
            continue
        if int(fields[1]) == postmaster:
            ticks += sum(map(int, fields[11:13]))
    return ticks / _TICKS


def _watched(command: str, folder: Path, environ: dict[str, str], log: Path) -> Took:
    # Orphans become our children, so they are seen, and waited for, too.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    family = _Family(Path(environ["TMPDIR"]))
    with log.open("ab") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=environ,
            start_new_session=True,  # a program may signal all of its group, pgcopydb does
        )
        try:
            with family:
                status = process.wait()
                seconds = time.perf_counter() - began
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    family.bury()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime
    return Took(seconds, cpu, family.peak_bytes, family.temporary_bytes, status)


class _Family:
    """All processes that come from this one, looked at again and again by a thread."""

    def __init__(self, temporary: Path) -> None:
        self.peak_bytes = 0
        self.temporary_bytes = 0
        self._most_resident = 0
        self._again_at = 0.0
        self._temporary = temporary
        self._members: set[int] = set()
        self._strangers: set[int] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_often)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def bury(self) -> None:
        """Wait for all that are left; end those that would stay, as agents do."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                ended, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not ended:
                if time.monotonic() > deadline:
                    self._refresh()
                    for process in self._members:
                        os.kill(process, signal.SIGKILL)
                time.sleep(0.01)

    def _look_often(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            self._refresh()
            self._look_at_memory()
            disk = _disk_bytes(self._temporary, self._members)
            self.temporary_bytes = max(self.temporary_bytes, disk)

    def _look_at_memory(self) -> None:
        """Count what is shared once: when there is more than ever, and each second.

        That takes the kernel a millisecond for 50 MiB, which those who use more would suffer from.
        """
        resident = sum(map(_resident_bytes, self._members))
        if resident < self._most_resident + _MORE_BYTES and time.monotonic() < self._again_at:
            return
        self._most_resident = max(self._most_resident, resident)
        self._again_at = time.monotonic() + 1
        self.peak_bytes = max(self.peak_bytes, sum(map(_memory_bytes, self._members)))

    def _refresh(self) -> None:
        """Find who has come and gone: a process that is once known to be a stranger stays one."""
        alive = sorted(_processes())
        self._members.intersection_update(alive)
        self._strangers.intersection_update(alive)
        known = self._members | self._strangers
        for process in alive:  # parents first
            if process not in known:
                try:
                    parent = int(_stat(process)[1])
                except OSError:
                    continue
                ours = parent == os.getpid() or parent in self._members
                (self._members if ours else self._strangers).add(process)


def _processes() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - quicker


def _stat(process: int) -> list[str]:
    """Return the fields after the name: state, parent, …, user and system time."""
    with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        return file.read().rpartition(")")[2].split()


def _resident_bytes(process: int) -> int:
    """Return the memory of a process, all that it shares included."""
    try:
        with open(f"/proc/{process}/statm", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:  # it has ended
        return 0


def _memory_bytes(process: int) -> int:
    """Return the memory of a process, and its share of what it has in common with others."""
    try:
        with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as file:  # noqa: PTH123
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:  # it has ended
        pass
    return 0


def _disk_bytes(folder: Path, processes: set[int]) -> int:
    """Return what a folder takes on disk, and files on it that are open but have no name."""
    files: _Files = {}
    device = folder.stat().st_dev
    for parent, _, names in os.walk(folder):
        for name in names:
            _note(files, os.path.join(parent, name))  # noqa: PTH118 - many times a second
    for process in processes:
        try:
            descriptors = os.listdir(f"/proc/{process}/fd")  # noqa: PTH208
        except OSError:
            continue
        nameless: _Files = {}
        for number in descriptors:
            _note(nameless, f"/proc/{process}/fd/{number}", follow=True)
        files |= {at: x for at, x in nameless.items() if at[0] == device and not x[1]}
    return sum(size for size, _ in files.values())


def _note(files: _Files, path: str, *, follow: bool = False) -> None:
    """Write down a file's size on disk and how many names it has."""
    try:
        found = os.stat(path, follow_symlinks=follow)  # noqa: PTH116
    except OSError:
        return
    if stat.S_ISREG(found.st_mode):
        files[found.st_dev, found.st_ino] = found.st_blocks * 512, found.st_nlink
