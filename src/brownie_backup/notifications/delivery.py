"""Delivers messages over HTTP in a separate thread: no backup waits for it or fails from it."""

import http.client
import logging
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping

from attrs import field, frozen

from brownie_backup.secret import Secret

TIMEOUT_SECONDS = 10.0
WAITS_SECONDS = (0.5, 2.0)
"""Pauses between attempts."""
_MOST_WAITING = 100
_TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_DONE = range(200, 300)

OnUndelivered = Callable[[str], None]
"""Called with the recipient of a message that was not delivered: ``ping`` or ``webhook``."""

_log = logging.getLogger(__name__)


@frozen
class HttpMessage:
    """A POST request. Its URL is secret, and so are the headers that authenticate the sender."""

    url: Secret
    body: bytes
    headers: Mapping[str, str] = field(factory=dict, repr=False)


class DeliveryQueue:
    """Delivers messages to one address, one after the other, in the order of arrival.

    Args:
        name: the recipient: ``ping`` or ``webhook``.
        on_undelivered: called with the name for each message that was not delivered.
        waits_seconds: pauses between attempts.
    """

    def __init__(
        self,
        name: str,
        on_undelivered: OnUndelivered = lambda _: None,
        *,
        waits_seconds: tuple[float, ...] = WAITS_SECONDS,
    ) -> None:
        self._name = name
        self._on_undelivered = on_undelivered
        self._waits = waits_seconds
        self._letters: queue.Queue[HttpMessage] = queue.Queue(_MOST_WAITING)
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def send(self, message: HttpMessage) -> None:
        """Queue a message; return at once."""
        try:
            self._letters.put_nowait(message)
        except queue.Full:
            self._give_up("too many messages are waiting")

    def flush(self, limit_seconds: float) -> None:
        """Wait until all messages are delivered, for at most `limit_seconds`."""
        end = time.monotonic() + limit_seconds
        while self._letters.unfinished_tasks and time.monotonic() < end:
            time.sleep(0.02)

    def _work(self) -> None:
        while True:
            message = self._letters.get()
            try:
                self._deliver(message)
            finally:
                self._letters.task_done()

    def _deliver(self, message: HttpMessage) -> None:
        problem = ""
        for wait in (*self._waits, None):
            problem, again = post(message)
            if not problem:
                _log.debug("the %s was delivered", self._name)
                return
            if wait is None or not again:
                break
            time.sleep(wait)
        self._give_up(problem)

    def _give_up(self, problem: str) -> None:
        _log.warning("the %s could not be delivered: %s", self._name, problem)
        self._on_undelivered(self._name)


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener for http and https that uses a configured proxy and follows no redirect.

    A redirect would send the message to another recipient.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def post(message: HttpMessage) -> tuple[str, bool]:
    """Try once; return the problem, empty on success, and whether to try again.

    The problem never names the URL: it is secret.
    """
    try:
        request = urllib.request.Request(  # noqa: S310 - the settings take http and https only
            message.url.reveal(), message.body, dict(message.headers), method="POST"
        )
        with _opener().open(request, timeout=TIMEOUT_SECONDS) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
        error.close()
    except urllib.error.URLError as error:
        reason = error.reason
        why = reason.strerror if isinstance(reason, OSError) else ""
        return why or type(reason).__name__, True
    except (OSError, http.client.HTTPException, ValueError) as error:
        return type(error).__name__, not isinstance(error, ValueError)
    if status in _DONE:
        return "", False
    return f"the server answered with status {status}", status in _TRY_AGAIN
