"""Calls of Vault's HTTP interface."""

import http.client
import json
import re
import ssl
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from brownie_backup.encryptors.wrapping.failures import Failed, Failure, Kind
from brownie_backup.encryptors.wrapping.vault_answers import (
    NO_CERTIFICATES,
    NO_TOKEN,
    NONSENSE,
    REDIRECTED,
    WRONG_TOKEN,
    failure_of_answer,
    failure_of_connection,
)
from brownie_backup.hints import StoreHint
from brownie_backup.secret import Secret

WAITS_SECONDS = (0.5, 2.0)
_MOST_BYTES = 1 << 20
_LOOKUP = "auth/token/lookup-self"
_TOKEN = re.compile(r"[!-~]+")


@frozen
class Server:
    """A server of Vault or OpenBao. Each call has a connection of its own.

    Its parameters are those of `brownie_backup.encryptors.wrapping.vault.Vault`.
    """

    address: str
    token: Secret | None = field(default=None, repr=False)
    token_file: str | None = None
    namespace: str = ""
    ca_file: str | None = None
    timeout_seconds: float = 10
    waits_seconds: tuple[float, ...] = WAITS_SECONDS

    def post(self, path: str, body: bytes, secrets: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return the JSON of the answer.

        Args:
            path: below ``/v1/``.
            body: JSON.
            secrets: texts in it that the server might repeat in an error.

        Raises:
            Failed: with what the answer means, after a few tries.
        """
        answer = self._try(path, body, secrets)
        for wait in self.waits_seconds:
            if not isinstance(answer, Failure) or not answer.again:
                break
            time.sleep(wait)
            answer = self._try(path, body, secrets)
        if isinstance(answer, Failure):
            raise Failed(answer)
        return answer

    def _try(self, path: str, body: bytes, secrets: tuple[str, ...]) -> dict[str, Any] | Failure:
        token = self._token()
        if isinstance(token, Failure):
            return token
        answer = self._send(path, body, token, self.namespace, secrets)
        if isinstance(answer, Failure) and answer.kind is Kind.NOT_OURS:
            # The server refuses a token that has expired in the same words.
            return answer if self._is_valid(token) else WRONG_TOKEN
        return answer

    def _is_valid(self, token: str) -> bool:
        """Whether the server knows a token: in its own namespace, or in the first one."""
        return any(
            isinstance(self._send(_LOOKUP, None, token, namespace), dict)
            for namespace in dict.fromkeys((self.namespace, ""))
        )

    def _send(
        self,
        path: str,
        body: bytes | None,
        token: str,
        namespace: str,
        secrets: tuple[str, ...] = (),
    ) -> dict[str, Any] | Failure:
        try:
            opener = self._opener()
        except OSError:  # ssl's too
            return NO_CERTIFICATES.told(f"'{self.ca_file}'")
        try:
            request = urllib.request.Request(  # noqa: S310 - the address was checked before
                f"{self.address}/v1/{path}", body, _headers(token, namespace)
            )
            with opener.open(request, timeout=self.timeout_seconds) as answer:
                status, data = answer.status, answer.read(_MOST_BYTES)
        except urllib.error.HTTPError as error:
            status, data = error.code, _read(error)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return failure_of_connection(error)
        return _understood(status, data, path, (*secrets, token))

    def _token(self) -> str | Failure:
        """Return the token of now: what renews it may have replaced the file."""
        if self.token_file is None:
            return self.token.reveal() if self.token else ""
        try:
            text = Path(self.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            return Failure(f"'{self.token_file}' cannot be read: {reason}", StoreHint.READ_FILE)
        return text if _TOKEN.fullmatch(text) else NO_TOKEN.told(f"'{self.token_file}'")

    def _opener(self) -> urllib.request.OpenerDirector:
        """Return an opener that follows no redirect: another host would get the token."""
        opener = urllib.request.OpenerDirector()
        handlers: list[urllib.request.BaseHandler] = [
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
        ]
        if urlsplit(self.address).scheme == "https":
            # Made for each call, so that renewed certificates are seen.
            context = ssl.create_default_context(cafile=self.ca_file)
            handlers += [
                urllib.request.ProxyHandler(),
                urllib.request.HTTPSHandler(context=context),
                urllib.request.HTTPHandler(),  # to the proxy
            ]
        else:  # never through a proxy, which would see the data key
            handlers.append(urllib.request.HTTPHandler())
        for handler in handlers:
            opener.add_handler(handler)
        return opener


def _headers(token: str, namespace: str) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "brownie-backup",
        "X-Vault-Request": "true",  # an agent may ask for it, as it guards against forged ones
        "X-Vault-Token": token,
    }
    return {**headers, "X-Vault-Namespace": namespace} if namespace else headers


def _read(error: urllib.error.HTTPError) -> bytes:
    try:
        with error:
            return error.read(_MOST_BYTES)
    except (OSError, http.client.HTTPException):
        return b""


def _understood(
    status: int, data: bytes, path: str, secrets: tuple[str, ...]
) -> dict[str, Any] | Failure:
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return REDIRECTED
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if status != HTTPStatus.OK:
        said = document.get("errors") if isinstance(document, dict) else None
        texts = [text for text in said if isinstance(text, str)] if isinstance(said, list) else []
        return failure_of_answer(status, "; ".join(texts), path, secrets)
    return document if isinstance(document, dict) else NONSENSE
