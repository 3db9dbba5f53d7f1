"""Backups below /ops of a FastAPI app: ``uvicorn mount_in_fastapi:app``."""

import contextlib
import os
from collections.abc import AsyncIterator

from fastapi import FastAPI

from brownie_backup.config import load_settings
from brownie_backup_asgi import create_app

backups = create_app(load_settings(os.environ))


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Cancel, at the end, what runs: a mounted app is not told of it."""
    yield
    await backups.aclose()


app = FastAPI(lifespan=lifespan)
app.mount("/ops", backups)


@app.get("/")
async def home() -> str:
    """Stand for your own service."""
    return "hello"
