"""JSON as the body of a response."""

from typing import Any

from starlette.responses import JSONResponse as StarletteResponse

from brownie_backup.wording import as_unicode


class JSONResponse(StarletteResponse):
    """JSON that any client can read, also where a database's name is no text (SQL_ASCII)."""

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - any JSON
        """Return the body."""
        return super().render(_readable(content))


def _readable(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        return as_unicode(value)
    if isinstance(value, dict):
        return {_readable(name): _readable(each) for name, each in value.items()}
    return [*map(_readable, value)] if isinstance(value, list | tuple) else value
