"""On whose behalf a command works."""

import os
import socket
from pwd import getpwuid

from brownie_backup.activity import Actor
from brownie_backup.service import Service
from brownie_backup.settings import Settings


def service_for(settings: Settings) -> Service:
    """Return the service, on behalf of the user that runs this process.

    By the user's number: whoever sets USER in the environment does not become another.
    """
    number = os.getuid()
    try:
        name = getpwuid(number).pw_name
    except KeyError:  # a container's user has no name
        name = f"uid {number}"
    return Service(settings, Actor(name, f"cli {socket.gethostname()}"))
