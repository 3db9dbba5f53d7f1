"""How to install a package of this project. The one switch for the day of its release is here."""

PUBLISHED = False
"""Whether the packages are on the Python Package Index. See RELEASING.md."""

_FOLDERS = {
    "brownie-backup": ".",
    "brownie-backup-asgi": "./adapters/asgi",
    "brownie-backup-cli": "./adapters/cli",
    "brownie-backup-cron": "./adapters/cron",
}
"""Where the packages are in a checkout."""


def install_command(requirement: str, *, published: bool = PUBLISHED) -> str:
    """Return the command that installs a package.

    Args:
        requirement: the package, and its extras in brackets: ``brownie-backup[s3]``.
        published: whether it is on the Python Package Index; otherwise the command is for a
            checkout.
    """
    if published:
        return f"python -m pip install '{requirement}'"
    name, bracket, extras = requirement.partition("[")
    folder = f"{_FOLDERS[name]}{bracket}{extras}"
    return f"in a checkout of brownie-backup, run python -m pip install '{folder}'"
