"""The guarantees of every dumper about reading (`brownie_backup.protocols.Dumper`)."""
# ruff: noqa: S101 - these are tests

import contextlib
import pickle
import time
from collections.abc import Callable, Collection, Generator, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import evolve

from brownie_backup.errors import DamagedError, DatabaseError, DumpFailed
from brownie_backup.model import BlobRef, Part, PartKind, PartSpec, Segment
from brownie_backup.model.findings import Finding
from brownie_backup.pipeline.ranges import counting
from brownie_backup.protocols import Dumper, Snapshot

_PATIENCE_SECONDS = 15
_PIECE = 65_537


class DumperContract:
    """Tests that a dumper keeps its guarantees about reading a database.

    A subclass provides these fixtures:

    - `dumper`: one for a database with some content, of which one part has at least 8 MiB, so that
      it can be interrupted;
    - `break_source`: a function that makes the reading that is under way fail, for instance by
      ending its sessions on the server; the next test must find the database as it was;
    - `still_running`: a function that returns what the dumper has running now: child processes,
      sessions, threads, anything that should not stay behind.
    """

    @pytest.fixture
    def dumper(self) -> Dumper:
        """Return a dumper of a database with some content."""
        raise NotImplementedError

    @pytest.fixture
    def break_source(self) -> Callable[[], None]:
        """Return a function that makes the current read fail."""
        raise NotImplementedError

    @pytest.fixture
    def still_running(self) -> Callable[[], Collection[Hashable]]:
        """Return a function that returns everything that the dumper has running."""
        raise NotImplementedError

    def test_its_database_has_a_name(self, dumper: Dumper) -> None:
        """The same for the default name of a backup and for the manifest."""
        assert dumper.kind
        with dumper.snapshot() as snapshot:
            assert snapshot.database.name == dumper.database_name()
            assert snapshot.database.system_identifier
            assert snapshot.database.id == snapshot.database_id == dumper.database_id()
            assert snapshot.database.size_bytes > 0

    def test_there_is_one_inventory(self, dumper: Dumper) -> None:
        """A restore begins with it."""
        with dumper.snapshot() as snapshot:
            kinds = [part.kind for part in snapshot.parts]
        assert kinds.count(PartKind.INVENTORY) == 1
        assert len(kinds) > 1

    def test_parts_are_plain_data(self, dumper: Dumper) -> None:
        """They survive pickling, and no two are the same."""
        with dumper.snapshot() as snapshot:
            parts = snapshot.parts
            assert pickle.loads(pickle.dumps(parts)) == parts  # noqa: S301 - our own bytes
            assert len(set(parts)) == len(parts)

    def test_reading_yields_bytes(self, dumper: Dumper) -> None:
        """Pieces of type bytes, and of every part at least one byte."""
        with dumper.snapshot() as snapshot:
            for part in snapshot.parts:
                with contextlib.closing(_read(dumper, part)) as stream:
                    size = 0
                    for piece in stream:
                        assert type(piece) is bytes
                        size += len(piece)
                assert size > 0

    def test_any_worker_can_read_any_part(self, dumper: Dumper) -> None:
        """In any order, at once, from a pickled description."""

        def read(pickled: bytes) -> tuple[Part, bytes]:
            part: PartSpec = pickle.loads(pickled)  # noqa: S301 - our own bytes
            return _store(dumper, part)

        with dumper.snapshot() as snapshot, ThreadPoolExecutor(len(snapshot.parts)) as pool:
            pickled = [pickle.dumps(part) for part in reversed(snapshot.parts)]
            read_parts = list(pool.map(read, pickled))
        for part, data in read_parts:
            dumper.check(part, _pieces(data, len(data)))

    def test_segments_are_plain_data_too(self, dumper: Dumper) -> None:
        """They survive pickling, no two have the same key, and they are cut alike each time."""
        with dumper.snapshot() as snapshot:
            cut = [piece for part in snapshot.parts for piece in dumper.split(part) or ()]
            again = [piece for part in snapshot.parts for piece in dumper.split(part) or ()]
        assert pickle.loads(pickle.dumps(cut)) == cut == again  # noqa: S301 - our own bytes
        assert all(piece.segment for piece in cut)
        assert len({piece.segment for piece in cut}) == len(cut)
        for piece in cut:
            assert str(dumper.locate(piece))

    def test_a_stored_part_has_the_segments_it_was_made_of(self, dumper: Dumper) -> None:
        """By the same keys, with the same blobs; and a part that was one stream has none."""
        with dumper.snapshot() as snapshot:
            for part in snapshot.parts:
                cut = dumper.split(part)
                if cut is None:
                    stored = Part(part.kind, 1, (BlobRef("b", 1, 1),))
                    assert dumper.segments(stored) is None
                    continue
                segments = [
                    Segment(piece.segment, (BlobRef(f"{n}", 7, 7), BlobRef("b", 2, 2)), n)
                    for n, piece in enumerate(cut)
                ]
                stored = dumper.join(part, segments)
                assert [*(dumper.segments(stored) or ())] == segments
                assert stored.size_bytes == 9 * len(segments)

    def test_check_accepts_its_own_parts(self, dumper: Dumper) -> None:
        """However they are cut into chunks; and it reads them to the end."""
        for part, data in _read_all(dumper):
            for size in (_PIECE, len(data)):
                chunks = _pieces(data, size)
                dumper.check(part, chunks)
                assert next(chunks, None) is None, "check left some of the part unread"

    def test_check_needs_no_snapshot(self, dumper: Dumper) -> None:
        """A stored part is known by its kind, and by what it says itself."""
        for part, data in _read_all(dumper):
            dumper.check(evolve(part, rows=None), _pieces(data, _PIECE))

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
    def test_check_refuses_a_cut_part(self, dumper: Dumper, share: float) -> None:
        """Whatever its kind, when that share of it is left."""
        for part, data in _read_all(dumper):
            with pytest.raises(DamagedError):
                dumper.check(part, _pieces(data[: int(len(data) * share)], _PIECE))

    def test_check_refuses_an_archive_that_lacks_its_last_byte(self, dumper: Dumper) -> None:
        """`pg_restore --list` would take it."""
        for part, data in _read_all(dumper):
            if part.kind == PartKind.ARCHIVE:
                with pytest.raises(DamagedError):
                    dumper.check(part, _pieces(data[:-1], _PIECE))

    def test_an_error_is_raised_inside_the_iteration(
        self, dumper: Dumper, break_source: Callable[[], None]
    ) -> None:
        """A dump that fails never looks like one that ended."""
        with dumper.snapshot() as snapshot:
            stream = _read(dumper, _largest(dumper, snapshot))
            next(stream)
            break_source()
            with pytest.raises(DumpFailed):
                _exhaust(stream)

    def test_a_part_is_not_read_after_its_snapshot(self, dumper: Dumper) -> None:
        """That would be another state of the database; the call alone does nothing yet."""
        with dumper.snapshot() as snapshot:
            part = _largest(dumper, snapshot)
        stream = _read(dumper, part)
        with pytest.raises(DatabaseError):
            _exhaust(stream)

    def test_closing_the_iterator_ends_the_work(
        self, dumper: Dumper, still_running: Callable[[], Collection[Hashable]]
    ) -> None:
        """As when a blob could not be stored."""
        with dumper.snapshot() as snapshot:
            part = _largest(dumper, snapshot)
            before = set(still_running())
            stream = _read(dumper, part)
            next(stream)
            assert set(still_running()) - before, "nothing is seen to run, so nothing is proven"
            stream.close()
            _wait_until(lambda: set(still_running()) <= before)

    @pytest.mark.parametrize("reading", [False, True])
    def test_leaving_the_snapshot_ends_everything(
        self,
        dumper: Dumper,
        still_running: Callable[[], Collection[Hashable]],
        reading: bool,  # noqa: FBT001 - pytest passes it by name
    ) -> None:
        """By an exception too; a reading that was not closed ends when it is forgotten."""
        before = set(still_running())
        with pytest.raises(RuntimeError, match="a blob could not be stored"):
            _fail_in_snapshot(dumper, reading=reading)
        _wait_until(lambda: set(still_running()) <= before)

    def test_diagnose_yields_findings(self, dumper: Dumper) -> None:
        """At least one, each saying about what."""
        findings = list(dumper.diagnose())
        assert findings
        for finding in findings:
            assert isinstance(finding, Finding)
            assert finding.subject
            assert finding.message


def _exhaust(stream: Iterable[bytes]) -> None:
    for _ in stream:
        pass


def _read(dumper: Dumper, part: PartSpec) -> Generator[bytes, None, int | None]:
    """Read one part with a reader of its own."""
    with dumper.reading() as reader:
        return (yield from reader.read(part))


def _store(dumper: Dumper, part: PartSpec) -> tuple[Part, bytes]:
    """Read a part, segment by segment if it has any; return it as the manifest has it."""
    pieces = dumper.split(part)
    if pieces is None:
        data = b"".join(_read(dumper, part))
        return Part(part.kind, len(data)), data
    segments, read = [], []
    for piece in pieces:
        counted: list[int | None] = []
        data = b"".join(counting(_read(dumper, piece), counted))
        segments.append(Segment(piece.segment, (BlobRef("", len(data), 0),), counted[0]))
        read.append(data)
    return dumper.join(part, segments), b"".join(read)


def _read_all(dumper: Dumper) -> list[tuple[Part, bytes]]:
    with dumper.snapshot() as snapshot:
        return [_store(dumper, part) for part in snapshot.parts]


def _largest(dumper: Dumper, snapshot: Snapshot) -> PartSpec:
    sizes = {part: sum(map(len, _read(dumper, part))) for part in snapshot.parts}
    part = max(sizes, key=lambda part: sizes[part])
    assert sizes[part] >= 8 << 20, "the database needs a part of 8 MiB for this test"
    return part


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    yield from (data[at : at + size] for at in range(0, len(data), size or 1))


def _fail_in_snapshot(dumper: Dumper, *, reading: bool) -> None:
    with dumper.snapshot() as snapshot:
        if reading:
            next(_read(dumper, _largest(dumper, snapshot)))
        raise RuntimeError("a blob could not be stored")


def _wait_until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < end, "it is still running"
        time.sleep(0.05)
