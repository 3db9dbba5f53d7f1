"""What gives tokens to who can prove who they are: small fakes, as no emulator has them."""

import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_LIFE_SECONDS = 3600
_SLACK_SECONDS = 300


class _Handler(BaseHTTPRequestHandler):
    server: "_Service"

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def do_GET(self) -> None:
        self._answer("")

    def _answer(self, body: str) -> None:
        status, said = self.server.give(self.headers.get("X-IDENTITY-HEADER", ""), body)
        data = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Service(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self.given: list[str] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}/token"

    def give(self, header: str, body: str) -> tuple[int, Mapping[str, Any]]:
        """Return the status and the JSON of an answer to a request with this header and body."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class GoogleTokens(_Service):
    """Gives tokens to a service account, as Google does: after a look at signature and times."""

    def __init__(self) -> None:
        super().__init__()
        self._key = _new_key()

    def account(self, *, right: bool = True) -> dict[str, str]:
        """Return the JSON of the account, with its key or with one that is not."""
        key = self._key if right else _new_key()
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return {
            "type": "service_account",
            "project_id": "tests",
            "private_key_id": "0123456789abcdef0123456789abcdef01234567",
            "private_key": private.decode(),
            "client_email": "backup@tests.iam.gserviceaccount.com",
            "token_uri": self.url,
        }

    def give(self, header: str, body: str) -> tuple[int, Mapping[str, Any]]:
        """Give a token for a signed assertion."""
        assert not header
        (assertion,) = parse_qs(body)["assertion"]
        try:
            claims = jwt.decode(
                assertion,
                self._key.public_key(),
                algorithms=["RS256"],
                options={"verify_aud": False, "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidSignatureError:
            return 400, _invalid("Invalid JWT Signature.")
        now = time.time()
        if not claims["iat"] - _SLACK_SECONDS < now < claims["exp"]:
            return 400, _invalid(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                "timeframe. Check your iat and exp values in the JWT claim."
            )
        token = f"ya29.{len(self.given)}-of-{self.server_port}"
        self.given.append(token)
        return 200, {"access_token": token, "expires_in": _LIFE_SECONDS, "token_type": "Bearer"}


class AzureIdentity(_Service):
    """Gives tokens to whoever is on this host, as App Service does to a managed identity."""

    def give(self, header: str, body: str) -> tuple[int, Mapping[str, Any]]:
        """Give a token that Azurite takes: it looks at the claims only."""
        if (header, body) != (self.header, ""):
            return 401, {"error": "not from this host"}
        now = int(time.time())
        claims: dict[str, Any] = {"iat": now, "nbf": now, "exp": now + _LIFE_SECONDS}
        claims |= {"aud": "https://storage.azure.com", "iss": "https://sts.windows.net/tests/"}
        self.given.append(jwt.encode(claims, "a key that nobody looks at, as it happens"))
        expires = str(now + _LIFE_SECONDS)
        return 200, {"access_token": self.given[-1], "expires_on": expires, "token_type": "Bearer"}

    header = "a header that only this host knows"

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables by which a host finds its identity."""
        return {"IDENTITY_ENDPOINT": self.url, "IDENTITY_HEADER": self.header}


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _invalid(why: str) -> dict[str, str]:
    return {"error": "invalid_grant", "error_description": why}
