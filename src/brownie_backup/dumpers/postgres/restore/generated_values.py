"""Whether the generated columns of a restored database have the values that they had."""

from collections.abc import Iterable, Iterator

from brownie_backup.dumpers.postgres.generated_columns import (
    GeneratedColumn,
    find_generated,
    measure,
)
from brownie_backup.hints import RestoreHint
from brownie_backup.model.findings import Finding, Level
from brownie_backup.postgres.client import Client, qualified, quote_name
from brownie_backup.postgres.copy_rows import TEXT_SETTINGS


def check_generated(
    client: Client, database: str, recorded: Iterable[GeneratedColumn], *, same_major: bool
) -> tuple[Finding, ...]:
    """Compare the generated columns of a database with those of its backup.

    Args:
        client: of the server.
        database: its name; it has all rows.
        recorded: the columns of tables whose rows were loaded.
        same_major: whether the original was on the same major version of PostgreSQL. Another one
            may write or hash the same value differently.
    """
    known = {(each.schema, each.table, each.name): each for each in recorded}
    if not known:
        return ()
    with client.session(database) as session:
        session.run("BEGIN", *TEXT_SETTINGS)
        there = {(each.schema, each.table, each.name) for each in find_generated(session)}
        found = [*measure(session, [known[key] for key in known if key in there])]
    return tuple(_compare(known, found, same_major=same_major))


def _compare(
    known: dict[tuple[str, str, str], GeneratedColumn],
    found: Iterable[GeneratedColumn],
    *,
    same_major: bool,
) -> Iterator[Finding]:
    for now in found:
        then = known[now.schema, now.table, now.name]
        table = qualified(now.schema, now.table)
        column = f"the generated column {table}.{quote_name(now.name)}"
        hint = RestoreHint.COMPUTE_AGAIN(table=table, column=quote_name(now.name))
        if now.values != then.values:
            msg = f"{column} has {now.values} values that are not NULL, and had {then.values}"
            yield Finding(Level.ERROR, "generated", msg, hint)
        elif now.hash != then.hash:
            msg = f"{column} has other values than it had"
            yield Finding(Level.ERROR if same_major else Level.WARNING, "generated", msg, hint)
