"""Programs from Debian's packages: find them, or install them."""

from __future__ import annotations

import os
import shutil
import subprocess


def apt_install(package: str) -> list[str]:
    """Install a package where apt and permission to use it are there; return the commands that were run."""
    apt_get = shutil.which("apt-get")
    sudo = [] if hasattr(os, "geteuid") and os.geteuid() == 0 else [path] if (path := shutil.which("sudo")) else None
    if not apt_get or sudo is None:
        return []
    prefix = [*sudo, *(["-n"] if sudo else []), apt_get]
    commands = [[*prefix, "update", "-q"], [*prefix, "install", "-y", "-q", "--no-install-recommends", package]]
    for command in commands:
        print("+", " ".join(command), flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(command, stdin=subprocess.DEVNULL, env=environment)
    return [" ".join(command) for command in commands]
