"""Authentication: bearer tokens and their scopes."""

import hashlib
import hmac
from enum import StrEnum

from attrs import field, frozen
from starlette.requests import Request

from brownie_backup.config.redaction import token_items
from brownie_backup.config.settings import Settings
from brownie_backup.errors import ConfigurationError
from brownie_backup.secret import Secret
from brownie_backup_asgi.hints import ApiHint
from brownie_backup_asgi.problems import FORBIDDEN, TOKEN_IN_URL, UNAUTHORIZED, Problem

_HINT = "BACKUP_API_TOKENS is name:scope+scope:token, by commas, such as ops:read+backup:s3cr3t…"
_NAMES_OF_TOKENS = {"token", "access_token", "api_key", "apikey", "bearer", "authorization"}
_CHALLENGE = 'Bearer realm="brownie-backup"'


class Scope(StrEnum):
    """A permission of a token."""

    READ = "read"
    BACKUP = "backup"
    RESTORE = "restore"
    DELETE = "delete"


@frozen
class Caller:
    """The sender of a request."""

    name: str
    scopes: frozenset[Scope]


@frozen
class Token:
    """One token, stored as its hash: hashes have equal length, and do not reveal the token."""

    caller: Caller
    digest: bytes = field(repr=False)


@frozen
class Tokens:
    """All valid tokens, and the scopes of a request without a token."""

    tokens: tuple[Token, ...]
    anonymous: frozenset[Scope] = frozenset()

    def caller(self, request: Request) -> Caller:
        """Return the sender of a request.

        Raises:
            Problem: the token is wrong, missing, or in the URL.
        """
        self._refuse_in_url(request)
        headers = request.headers.getlist("authorization")
        if not headers:
            if self.anonymous:
                return Caller("anonymous", self.anonymous)
            raise _unauthorized("no token", _CHALLENGE)
        scheme, _, given = headers[0].partition(" ")
        found = self._find(given.strip()) if scheme.lower() == "bearer" else None
        if found is None or len(headers) > 1:
            raise _unauthorized("wrong token", f'{_CHALLENGE}, error="invalid_token"')
        return found

    def _find(self, given: str) -> Caller | None:
        """Compare with every token, so that the time taken reveals nothing."""
        digest = _digest(given)
        found = [each.caller for each in self.tokens if hmac.compare_digest(each.digest, digest)]
        return found[0] if found else None

    def _refuse_in_url(self, request: Request) -> None:
        names = {name.lower() for name in request.query_params}
        words = [
            *(word for pair in request.query_params.multi_items() for word in pair),
            *request.url.path.split("/"),
            *(str(value) for value in request.path_params.values()),
        ]
        if names & _NAMES_OF_TOKENS or any(self._find(word) for word in words):
            raise Problem(TOKEN_IN_URL, "a token in the URL", hint=ApiHint.TOKEN_IN_HEADER)


def require(caller: Caller, scope: Scope) -> None:
    """Check that a caller has a scope.

    Raises:
        Problem: the caller lacks the scope: 401 without a token, else 403.
    """
    if scope in caller.scopes:
        return
    if caller.name == "anonymous":
        raise _unauthorized(f"no token, and '{scope}' needs one", _CHALLENGE)
    challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{scope}"'
    raise Problem(
        FORBIDDEN,
        f"the token '{caller.name}' lacks the scope '{scope}'",
        hint=ApiHint.ANOTHER_TOKEN,
        headers={"WWW-Authenticate": challenge},
    )


def read_tokens(settings: Settings) -> Tokens:
    """Return the tokens of the settings.

    Raises:
        ConfigurationError: there is none, or they cannot be read.
    """
    tokens: list[Token] = []
    if settings.api_token:
        everything = Caller("admin", frozenset(Scope))
        tokens.append(Token(everything, _digest(settings.api_token.reveal().strip())))
    if settings.api_tokens:
        tokens += _parse(settings.api_tokens)
    anonymous = frozenset({Scope.READ}) if settings.api_anonymous else frozenset[Scope]()
    if not tokens and not anonymous:
        problem = "no API token is set, so callers cannot be authenticated"
        hint = "Set BACKUP_API_TOKEN_FILE, or BACKUP_API_ANONYMOUS=read to let anyone read"
        raise ConfigurationError([problem], hint=hint)
    if len({each.digest for each in tokens}) < len(tokens):
        problem = "BACKUP_API_TOKEN and BACKUP_API_TOKENS contain one token twice"
        raise ConfigurationError([problem], hint="Use a different token for each name")
    if len({each.caller.name for each in tokens}) < len(tokens):
        problem = "BACKUP_API_TOKENS contains one name twice ('admin' is BACKUP_API_TOKEN)"
        hint = "Use a different name for each token: the audit trail records the name"
        raise ConfigurationError([problem], hint=hint)
    return Tokens(tuple(tokens), anonymous)


def _parse(secret: Secret) -> list[Token]:
    tokens = []
    for number, item in enumerate(token_items(secret.reveal()), 1):
        name, _, rest = item.partition(":")
        scopes, _, token = rest.partition(":")
        named = [scope.strip() for scope in scopes.split("+")]
        known = [scope for scope in named if scope in set(Scope)]
        if not name or not token or known != named or name == "anonymous":
            # Without the item: it contains a token.
            problem = f"BACKUP_API_TOKENS: token {number} is not name:scope+scope:token"
            raise ConfigurationError([problem], hint=f"{_HINT}; scopes: {', '.join(Scope)}")
        tokens.append(Token(Caller(name, frozenset(map(Scope, known))), _digest(token)))
    return tokens


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _unauthorized(detail: str, challenge: str) -> Problem:
    return Problem(
        UNAUTHORIZED,
        detail,
        hint=ApiHint.SEND_HEADER,
        headers={"WWW-Authenticate": challenge},
    )
