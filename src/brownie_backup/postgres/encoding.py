"""PostgreSQL's and Python's names of encodings; and SQL that is independent of both."""

import re

# LATIN5 and later are not the parts of ISO 8859 with the same number.
_LATIN = ((1, 1), (2, 2), (3, 3), (4, 4), (5, 9), (6, 10), (7, 13), (8, 14), (9, 15), (10, 16))
_CODECS = {
    "SQL_ASCII": "utf-8",  # means any bytes; bytes that are not UTF-8 survive as surrogates
    "UTF8": "utf-8",
    **{f"LATIN{n}": f"iso8859_{part}" for n, part in _LATIN},
    **{f"ISO_8859_{n}": f"iso8859_{n}" for n in (5, 6, 7, 8)},
    **{f"WIN{n}": f"cp{n}" for n in (866, 874, *range(1250, 1259))},
    "KOI8R": "koi8_r",
    "KOI8U": "koi8_u",
    "EUC_JP": "euc_jp",
    "EUC_JIS_2004": "euc_jis_2004",
    "EUC_KR": "euc_kr",
    "EUC_CN": "gb2312",
}
"""The encodings that a server can have (PostgreSQL manual, 23.3.1), except EUC_TW and
MULE_INTERNAL, which Python does not know."""


def codec_of(encoding: str) -> str:
    """Return Python's name for one of PostgreSQL's encodings; UTF-8 for one that it lacks."""
    return _CODECS.get(encoding, "utf-8")


_QUOTED = re.compile(r"""E'(?:[^'\\]|\\.|'')*'|"(?:[^"]|"")*\"""", re.DOTALL)


def sql_bytes(sql: str, encoding: str) -> bytes:
    """Return a statement as bytes that mean the same in any client encoding.

    Characters outside of ASCII are escaped, so that the server converts them: it knows more
    encodings than Python, and more characters of some.

    Args:
        sql: the statement; non-ASCII characters are only in names and E'' strings.
        encoding: of the database. SQL_ASCII means no characters but bytes, which stay as they are.
    """
    if encoding == "SQL_ASCII":
        return sql.encode("utf-8", "surrogateescape")
    return _QUOTED.sub(_escaped, sql).encode("ascii")


def _escaped(found: re.Match[str]) -> str:
    quoted = found[0]
    if quoted.isascii():
        return quoted
    if quoted.startswith("E"):
        return "".join(c if c.isascii() else f"\\U{ord(c):08x}" for c in quoted)
    name = quoted.replace("\\", r"\\")
    return "U&" + "".join(c if c.isascii() else f"\\+{ord(c):06x}" for c in name)
