"""The base of a backup: which earlier one it is."""

from attrs import evolve
from tests.unit.fakes import DATABASE, DAY, NOON, make_manifest, make_repository, make_writer

from brownie_backup.model import Backup, Manifest, Status
from brownie_backup.pipeline.parent import ParentFinder
from brownie_backup.version import TOOL_VERSION


def test_it_is_the_newest_good_one_of_the_same_kin() -> None:
    writer = make_writer(make_repository())
    ours = evolve(
        make_manifest("ours", NOON),
        tool_version=TOOL_VERSION,
        compression=writer.compressor.name,
        encryption=writer.encryption,
        hash_key=writer.hash_key.hex(),
    )
    later = NOON + DAY

    def found(*others: Backup) -> Manifest | None:
        candidates = ParentFinder()
        for backup in (Backup("ours", Status.GOOD, ours), *others):
            candidates.add(backup)
        return candidates.find(writer, ours.backup_set)

    newer = evolve(ours, name="newer", finished_at=later)
    assert found(Backup("newer", Status.GOOD, newer)) == newer
    assert found(Backup("older", Status.GOOD, evolve(ours, finished_at=NOON - DAY))) == ours
    assert found(Backup("newer", Status.DAMAGED, newer)) == ours
    assert found(Backup("gone", Status.DAMAGED, None)) == ours
    for other in (
        evolve(newer, database=evolve(DATABASE, name="another")),
        evolve(newer, kind="physical"),
        evolve(newer, tool_version="0"),
        evolve(newer, compression="gzip"),
        evolve(newer, hash_key="00"),
        evolve(newer, encryption=evolve(newer.encryption, identity="another")),
    ):
        assert found(Backup("newer", Status.GOOD, other)) == ours
    assert ParentFinder().find(writer, ours.backup_set) is None
