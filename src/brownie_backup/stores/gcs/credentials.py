"""Credentials for Google's services."""

import json
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import google.auth
from google.auth import aws, identity_pool, impersonated_credentials, pluggable
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.oauth2 import credentials as user
from google.oauth2 import service_account

from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import StoreHint
from brownie_backup.secret import Secret

_SCOPES = ("https://www.googleapis.com/auth/devstorage.full_control",)
"""The widest scope for storage: a narrower one cannot lock an object. Roles decide our rights."""
_AWS_TOKEN = "urn:ietf:params:aws:token-type:aws4_request"  # noqa: S105 - a type, no token


class DefaultCredentials(Credentials):
    """The credentials that Google's own chain finds, looked up when first needed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # not excluded, as a method of ours
        self._found: Credentials | None = None

    def before_request(
        self, request: object, method: str, url: str, headers: MutableMapping[str, str]
    ) -> None:
        """Put the found credentials into a request's headers."""
        self._find().before_request(request, method, url, headers)

    def refresh(self, request: object) -> None:
        """Get a new token for the found credentials."""
        self._find().refresh(request)

    def _find(self) -> Credentials:
        if self._found is None:
            self._found, _ = google.auth.default(scopes=_SCOPES)
        return self._found


def read_token(token: Secret) -> Credentials:
    """Return the credentials in a token, or raise `ConfigurationError`."""
    info, problem = _parse(token), ""
    if info is None:
        problem = "token is not the JSON of credentials"
    elif str(info.get("type")) not in _READERS:
        known = ", ".join(sorted(_READERS))
        problem = f'token: its "type" is not one of {known}'
    else:
        try:
            credentials: Credentials = _READERS[info["type"]](info)
        except (GoogleAuthError, ValueError, TypeError, KeyError, AttributeError):
            # The library's message may hold a part of it.
            problem = f"token: its parts do not make credentials of type '{info['type']}'"
        else:
            return credentials
    raise ConfigurationError([problem], hint=StoreHint.GCS_TOKEN)


def _parse(token: Secret) -> dict[str, Any] | None:
    try:
        info = json.loads(token.reveal())
    except ValueError:
        return None
    return info if isinstance(info, dict) else None


def _external(info: Mapping[str, Any]) -> Any:  # noqa: ANN401 - the library does not say
    if info.get("subject_token_type") == _AWS_TOKEN:
        return aws.Credentials.from_info(info, scopes=_SCOPES)
    source = info.get("credential_source") or {}
    kind = pluggable if "executable" in source else identity_pool
    return kind.Credentials.from_info(info, scopes=_SCOPES)


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "authorized_user": lambda info: user.Credentials.from_authorized_user_info(info, _SCOPES),
    "external_account": _external,
    "impersonated_service_account": lambda info: (
        impersonated_credentials.Credentials.from_impersonated_service_account_info(info, _SCOPES)
    ),
    "service_account": lambda info: service_account.Credentials.from_service_account_info(
        info, scopes=_SCOPES
    ),
}
