"""Mount backups below /ops of a Starlette app: ``uvicorn mount_in_starlette:app``."""

import contextlib
import os
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from brownie_backup.config import load_settings
from brownie_backup_asgi import create_app

backups = create_app(load_settings(os.environ))


async def home(_: Request) -> PlainTextResponse:
    """Your own service."""
    return PlainTextResponse("hello")


@contextlib.asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Cancel running operations at shutdown, of which a mounted app is not notified."""
    yield
    await backups.aclose()


app = Starlette(routes=[Route("/", home), Mount("/ops", app=backups)], lifespan=lifespan)
