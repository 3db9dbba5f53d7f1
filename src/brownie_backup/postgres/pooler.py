"""Whether a pooler gives the sessions of several clients to one process of the server.

What a session sets there, another client gets: ours and pg_dump's search_path, an application.
So it is found out before anything is set.
"""

from collections.abc import Mapping, Sequence

from brownie_backup.postgres.process import Child, running

MARK = "-c brownie_backup.direct=yes"
"""In the options of a connection: what a server does with it, and no pooler."""
ASK_FOR_MARK = "SELECT pg_catalog.current_setting('brownie_backup.direct', true);\n"
"""Prints ``yes`` in a session that was begun with `MARK`."""
_TIMES = 3


def is_shared(argv: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether two sessions that are open at once do not have a process each, and keep it.

    Args:
        argv: the command of psql, which reads from its standard input.
        env: its environment.
    """
    with running(argv, env, pipe="both") as one, running(argv, env, pipe="both") as other:
        seen = [(_process_id(one), _process_id(other)) for _ in range(_TIMES)]
    ours, others = map(set, zip(*seen, strict=True))
    if b"" in ours | others:  # there is no connection at all: whoever needs one will say why
        return False
    return len(ours) > 1 or len(others) > 1 or bool(ours & others)


def _process_id(session: Child) -> bytes:
    stdin, stdout = session.process.stdin, session.process.stdout
    if stdin is None or stdout is None:
        return b""
    try:
        stdin.write(b"SELECT pg_catalog.pg_backend_pid();\n")
        stdin.flush()
    except BrokenPipeError:
        return b""
    return stdout.readline()
