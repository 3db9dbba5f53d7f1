"""Each claim of the page about security is shown by a test."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "security.md"

CLAIMS = {
    "It never stores anything in clear instead.": (
        "unit/test_gnupg.py::test_without_any_key_nothing_is_encrypted"
    ),
    "`verify` and a restore notice": "integration/test_damage.py",
    "cannot make a later backup take old rows for unchanged ones": (
        "integration/test_incremental.py"
        "::test_rows_of_an_older_backup_put_into_the_newest_are_read_again"
    ),
    "in clear, which `verify` warns of and `restore` refuses": "unit/test_codecs.py",
    "passwords are in no process list": "integration/test_secrets.py",
    "A restore never passes any part of a backup to `psql`": (
        "integration/test_forged_archives.py::test_commands_in_any_text_of_an_archive_run_nothing"
    ),
    "Such a command among the roles": "integration/test_forged.py::test_forged_roles",
    "only from a backup that this installation made": (
        "unit/test_parent.py::test_one_that_was_changed_in_the_store_is_not_taken"
    ),
    "a manifest that names others is refused": (
        "integration/test_forged_ranges.py::test_ranges_that_were_changed_are_refused"
    ),
    "encrypted in the way that the manifest says": (
        "unit/test_openpgp.py"
        "::test_a_blob_forged_for_the_users_own_key_is_no_part_of_a_passphrases_backup"
    ),
    "A backup with a time in the future never counts as the newest": "unit/test_ahead.py",
    "`latest` never means one if there is an encrypted backup": "unit/test_codecs.py",
    "a new backup reuses no blob of an unencrypted one": (
        "unit/test_codecs.py::test_an_encrypted_backup_uses_nothing_of_one_in_clear"
    ),
    "An operator or function that an owner has placed": "integration/test_hostile.py",
}
"""Words of the page, and the test, or the file of tests, that shows them."""


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_about_security_has_its_test(claim: str) -> None:
    assert claim in PAGE.read_text(encoding="utf-8")
    file, _, name = CLAIMS[claim].partition("::")
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert not name or name in names
