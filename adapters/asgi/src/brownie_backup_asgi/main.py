"""The command ``brownie-backup-asgi``: serves the app with uvicorn."""

import argparse
import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable
from functools import partial

import uvicorn

from brownie_backup.audit.operation import Actor
from brownie_backup.config import load_settings
from brownie_backup.errors import ConfigurationError
from brownie_backup.service import Service
from brownie_backup.service.context import ServiceContext
from brownie_backup.telemetry import configure_telemetry
from brownie_backup.telemetry.logs import configure_logging
from brownie_backup.version import TOOL_VERSION
from brownie_backup_asgi.app import BackupApp, create_app
from brownie_backup_asgi.deadline import RequestDeadline
from brownie_backup_asgi.vocabulary import WORDS

HOST = "127.0.0.1"
PORT = 8000
_USAGE = 2
_MOST_PORT = 65535
_GRACE_SECONDS = 5
"""How long responses that are being sent may take, once the operations have ended."""


class Server(uvicorn.Server):
    """A uvicorn server that ends our operations first: some responses wait for them."""

    def __init__(
        self, config: uvicorn.Config, app: BackupApp, at_the_end: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._backups = app
        self._at_the_end = at_the_end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the operations and the event streams, then shut uvicorn down.

        Afterwards uvicorn lets the signal end the process: nothing runs later.
        """
        await self._backups.aclose()
        await super().shutdown(sockets)
        await asyncio.to_thread(self._at_the_end)


def main(argv: list[str] | None = None) -> int:
    """Serve until a signal; return the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        settings = load_settings(os.environ)
        configure_logging(settings, WORDS, usual=logging.INFO)
        context = ServiceContext.of(settings, reread=partial(load_settings, os.environ))
        service = Service(settings, Actor("api", "api"), context)
        send_the_rest = configure_telemetry(service.context.stores, component="api")
        app = create_app(service)
    except ConfigurationError as error:
        sys.stderr.write(f"brownie-backup-asgi: {error.worded(WORDS)}\n")
        return _USAGE
    for warning in settings.warnings:
        logging.getLogger("brownie_backup").warning("%s", warning)
    config = uvicorn.Config(
        app,
        host=arguments.host,
        port=arguments.port,
        access_log=False,  # it would log queries, which may contain a token by mistake
        server_header=False,
        log_config=None,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        http=RequestDeadline,
    )

    def at_the_end() -> None:
        send_the_rest()
        service.close()

    server = Server(config, app, at_the_end)
    server.run()
    return 0 if server.started else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="brownie-backup-asgi",
        description="Serve backups over REST. Environment variables BACKUP_* configure it.",
    )
    parser.add_argument("--host", default=HOST, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", default=PORT, type=_port, help="port (default: %(default)s)")
    shown = f"%(prog)s {TOOL_VERSION}"
    parser.add_argument("--version", action="version", version=shown)
    return parser


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= _MOST_PORT:
        msg = f"{text} is not a port"
        raise argparse.ArgumentTypeError(msg)
    return number


if __name__ == "__main__":
    sys.exit(main())
