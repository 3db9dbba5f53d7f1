"""Mount backups below /ops of a FastAPI app: ``uvicorn mount_in_fastapi:app``."""

import contextlib
import os
from collections.abc import AsyncIterator

from fastapi import FastAPI

from brownie_backup.config import load_settings
from brownie_backup_asgi import create_app

backups = create_app(load_settings(os.environ))


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Cancel running operations at shutdown, of which a mounted app is not notified."""
    yield
    await backups.aclose()


app = FastAPI(lifespan=lifespan)
app.mount("/ops", backups)


@app.get("/")
async def home() -> str:
    """Your own service."""
    return "hello"
