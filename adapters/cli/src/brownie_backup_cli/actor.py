"""On whose behalf a command works."""

import os
import socket
from pwd import getpwuid

from brownie_backup.audit.operation import Actor
from brownie_backup.config.settings import Settings
from brownie_backup.service import Service


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
