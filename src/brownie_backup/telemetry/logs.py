"""The log: to standard error and to a file, as plain text or JSON, without secrets.

Each line names its operation, in worker threads too.
"""

import contextlib
import fcntl
import json
import logging
import os
import sys
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from io import FileIO, TextIOWrapper
from logging.handlers import RotatingFileHandler

from opentelemetry import trace

from brownie_backup.audit.operation import current_operation
from brownie_backup.config.redaction import redactor
from brownie_backup.config.settings import Settings
from brownie_backup.errors import BackupError, ConfigurationError
from brownie_backup.hints import LIBRARY, Hint, SetupHint, Vocabulary
from brownie_backup.wording import visible

FILE_BYTES = 10 << 20
"""The size at which a new log file is started."""
FILES = 5
"""How many old files are kept: ``backup.log.1`` is the newest."""
FILE_MODE = 0o640

_OURS = ("brownie_backup", "brownie_backup_asgi", "brownie_backup_cli", "brownie_backup_cron")
_SDKS = ("azure", "boto3", "botocore", "google", "msal", "urllib3")
"""Libraries that log the same as our errors, or requests with their signatures."""

Redact = Callable[[str], str]


def configure_logging(
    settings: Settings,
    words: Vocabulary = LIBRARY,
    *,
    verbose: bool = False,
    quiet: bool = False,
    usual: int = logging.WARNING,
    said_elsewhere: Collection[str] = (),
) -> None:
    """Set where the log of this process goes. A second call replaces the first.

    Args:
        settings: BACKUP_DEBUG, BACKUP_LOG_FILE and BACKUP_LOG_FORMAT; and the secrets, which are
            removed from every line.
        words: the vocabulary for the hints of errors.
        verbose: everything goes to both, as with BACKUP_DEBUG.
        quiet: only errors go to standard error; the file still gets its usual messages.
        usual: the lowest level on standard error otherwise. A service uses INFO.
        said_elsewhere: loggers that do not go to standard error, since the program itself prints
            the same there; with `verbose` they do.

    Raises:
        ConfigurationError: the file can't be opened.
    """
    everything = verbose or settings.debug
    formatter = _formatter(settings, words)
    console = logging.StreamHandler(sys.stderr)
    console.setLevel(logging.DEBUG if everything else logging.ERROR if quiet else usual)
    if not everything:
        console.addFilter(lambda record: record.name not in said_elsewhere)
    handlers: list[logging.Handler] = [console]
    if settings.log_file:
        file = _open(settings.log_file)
        file.setLevel(logging.DEBUG if everything else logging.INFO)
        handlers.append(file)
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each.formatter, _Formatter)]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    for name in _OURS:
        logging.getLogger(name).setLevel(min(handler.level for handler in handlers))
    for sdk in _SDKS:
        logging.getLogger(sdk).setLevel(logging.CRITICAL)


def _formatter(settings: Settings, words: Vocabulary) -> "_Formatter":
    kind = _Json if settings.log_format == "json" else _Plain
    return kind(redactor(settings), words)


class _Formatter(logging.Formatter):
    """The common part of both formats."""

    def __init__(self, redact: Redact, words: Vocabulary) -> None:
        super().__init__()
        self._redact = redact
        self._words = words

    def _text(self, record: logging.LogRecord) -> str:
        arguments = record.args
        if isinstance(arguments, tuple):
            arguments = tuple(self._worded(each) for each in arguments)
        return self._redact(str(record.msg) % arguments if arguments else str(record.msg))

    def _worded(self, argument: object) -> object:
        if isinstance(argument, BackupError | Hint):
            return argument.worded(self._words)
        return argument

    def _traceback(self, record: logging.LogRecord) -> str:
        return self._redact(self.formatException(record.exc_info)) if record.exc_info else ""


class _Plain(_Formatter):
    """Plain text lines. Each line of a longer message has the same head, so none can be forged."""

    def format(self, record: logging.LogRecord) -> str:
        operation = current_operation()
        number = operation.id if operation else "-"
        head = f"{_time(record)} {record.levelname} {record.name} [{number}]"
        text = f"{self._text(record)}\n{self._traceback(record)}".rstrip("\n")
        return "\n".join(f"{head} {visible(line)}" for line in text.split("\n"))


class _Json(_Formatter):
    """One object a line, for programs that collect logs."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": self._text(record),
        }
        if operation := current_operation():
            document |= {
                "operation": operation.id,
                "action": operation.action,
                "actor": operation.actor.name,
            }
            if operation.backup:
                document["backup"] = operation.backup
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            document |= {
                "trace_id": trace.format_trace_id(span.trace_id),
                "span_id": trace.format_span_id(span.span_id),
            }
        if record.exc_info:
            document["exception"] = self._traceback(record)
        return json.dumps(document)


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _open(path: str) -> "_File":
    try:
        return _File(path, maxBytes=FILE_BYTES, backupCount=FILES, encoding="utf-8")
    except OSError as error:
        problem = f"the log file '{path}' cannot be opened: {error.strerror}"
        raise ConfigurationError([problem], hint=SetupHint.MAKE_LOG_FOLDER) from None


class _File(RotatingFileHandler):
    """A log file that several processes may write: each follows when another starts a new file."""

    _said = False

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        opened = os.open(self.baseFilename, flags, FILE_MODE)
        # Unbuffered: data that a full disk refuses must not be kept, and raise again at the end.
        return TextIOWrapper(FileIO(opened, self.mode), self.encoding, write_through=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, into the file that has the name now."""
        with contextlib.suppress(OSError):  # reported where the line can't be written
            self._follow()
        super().emit(record)

    def _follow(self) -> None:
        if self.stream and not self._is_current(self.stream):
            before, self.stream = self.stream, self._open()
            before.close()

    def _is_current(self, stream: TextIOWrapper) -> bool:
        ours = os.fstat(stream.fileno())
        try:
            named = os.stat(self.baseFilename)  # noqa: PTH116 - once a line
        except FileNotFoundError:
            return False
        return (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino)

    def doRollover(self) -> None:  # noqa: N802 - the library's name
        """Start a new file, unless another process has just done so."""
        if self.stream:
            held = os.dup(self.stream.fileno())
            try:
                fcntl.flock(held, fcntl.LOCK_EX)
                if self._is_current(self.stream):
                    super().doRollover()
            finally:
                os.close(held)
        self._follow()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Report once that the file can't be written: a full disk must not end a backup.

        The library would print the message with its secrets.
        """
        del record
        if not self._said:
            self._said = True
            why = sys.exc_info()[1]
            reason = why.strerror if isinstance(why, OSError) else type(why).__name__
            sys.stderr.write(f"the log file '{self.baseFilename}' cannot be written: {reason}\n")
