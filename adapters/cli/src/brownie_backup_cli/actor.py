"""The actor that a command is recorded under."""

import os
import socket
from pwd import getpwuid

from brownie_backup.audit.operation import Actor
from brownie_backup.config.settings import Settings
from brownie_backup.service import Service


def service_for(settings: Settings) -> Service:
    """Return the service, acting for the user that runs this process.

    The user is found by its uid: setting USER in the environment does not change it.
    """
    number = os.getuid()
    try:
        name = getpwuid(number).pw_name
    except KeyError:  # a container's user has no name
        name = f"uid {number}"
    return Service(settings, Actor(name, f"cli {socket.gethostname()}"))
