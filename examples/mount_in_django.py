"""Mount backups below /ops of a Django project: an example asgi.py.

``uvicorn mount_in_django:application``
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from brownie_backup.config import load_settings
from brownie_backup_asgi import create_app

Message = MutableMapping[str, Any]


def home(_: HttpRequest) -> HttpResponse:
    """Your own service."""
    return HttpResponse("hello")


urlpatterns = [path("", home)]

if not settings.configured:  # your project sets DJANGO_SETTINGS_MODULE instead
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1", "localhost"])
    django.setup()

pages = get_asgi_application()
backups = create_app(load_settings(os.environ))


async def application(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Route each request to its app: Django itself cannot mount another ASGI app."""
    if scope["type"] == "lifespan":
        await backups(scope, receive, send)  # cancels running operations at shutdown
    elif scope["path"] == "/ops" or scope["path"].startswith("/ops/"):
        await backups({**scope, "root_path": scope.get("root_path", "") + "/ops"}, receive, send)
    else:
        await pages(scope, receive, send)
