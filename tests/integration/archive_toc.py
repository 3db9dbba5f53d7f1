"""The table of contents of a pg_dump archive (custom format), taken apart and put together again.

As PostgreSQL's src/bin/pg_dump/pg_backup_archiver.c writes it.
"""

from collections.abc import Callable
from io import BytesIO

from attrs import define

FIELDS = (
    "tag",
    "desc",
    "defn",
    "drop",
    "copy",
    "namespace",
    "tablespace",
    "access_method",
    "owner",
)
_MAGIC = b"PGDMP"


@define
class TocEntry:
    """One entry; texts are None where the archive has none."""

    head: bytes
    """The numbers at the beginning."""
    tag: bytes | None
    desc: bytes | None
    section: bytes
    defn: bytes | None
    drop: bytes | None
    copy: bytes | None
    namespace: bytes | None
    tablespace: bytes | None
    access_method: bytes | None
    kind: bytes
    """The relkind, from version 1.16 on."""
    owner: bytes | None
    rest: bytes
    """All that follows."""


def rewritten(archive: bytes, change: Callable[[list[TocEntry]], object]) -> bytes:
    """Return an archive whose entries a function has changed."""
    toc = _Toc(archive)
    head = toc.head()
    count = toc.number()
    entries = [toc.entry() for _ in range(count)]
    change(entries)
    packed = b"".join(_packed(toc, entry) for entry in entries)
    return head + toc.as_number(len(entries)) + packed + toc.source.read()


class _Toc:
    def __init__(self, archive: bytes) -> None:
        self.source = BytesIO(archive)
        assert self.source.read(5) == _MAGIC
        major, minor, _ = self.source.read(3)
        self.version = (major, minor)
        self.int_bytes, self.offset_bytes, _ = self.source.read(3)

    def head(self) -> bytes:
        """Read up to the number of entries."""
        if self.version >= (1, 15):
            self.source.read(1)
        else:
            self.number()
        for _ in range(7):
            self.number()
        for _ in range(3):
            self.text()
        return self._since(0)

    def number(self) -> int:
        sign, *digits = self.source.read(1 + self.int_bytes)
        return int.from_bytes(bytes(digits), "little") * (-1 if sign else 1)

    def as_number(self, value: int) -> bytes:
        return bytes([value < 0]) + abs(value).to_bytes(self.int_bytes, "little")

    def text(self) -> bytes | None:
        length = self.number()
        return None if length < 0 else self.source.read(length)

    def as_text(self, value: bytes | None) -> bytes:
        return self.as_number(-1) if value is None else self.as_number(len(value)) + value

    def entry(self) -> TocEntry:
        start = self.source.tell()
        self.number(), self.number(), self.text(), self.text()
        head = self._since(start)
        tag, desc = self.text(), self.text()
        start = self.source.tell()
        self.number()
        section = self._since(start)
        defn, drop, copy, namespace, tablespace, method = (self.text() for _ in range(6))
        start = self.source.tell()
        if self.version >= (1, 16):
            self.number()
        kind = self._since(start)
        owner = self.text()
        start = self.source.tell()
        self.text()  # WITH OIDS, of old
        while self.text() is not None:  # dependencies
            pass
        self.source.read(1 + self.offset_bytes)
        rest = self._since(start)
        return TocEntry(
            head,
            tag,
            desc,
            section,
            defn,
            drop,
            copy,
            namespace,
            tablespace,
            method,
            kind,
            owner,
            rest,
        )

    def _since(self, start: int) -> bytes:
        end = self.source.tell()
        self.source.seek(start)
        return self.source.read(end - start)


def _packed(toc: _Toc, entry: TocEntry) -> bytes:
    texts = (
        entry.defn,
        entry.drop,
        entry.copy,
        entry.namespace,
        entry.tablespace,
        entry.access_method,
    )
    return b"".join(
        (
            entry.head,
            toc.as_text(entry.tag),
            toc.as_text(entry.desc),
            entry.section,
            *map(toc.as_text, texts),
            entry.kind,
            toc.as_text(entry.owner),
            entry.rest,
        )
    )
