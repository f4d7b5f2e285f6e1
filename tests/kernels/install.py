"""ipykernel in other versions than the installed one, each in a folder of its own that goes before the installed one.

Kept in the cache folder of the test servers: `python -m tests.kernels.install [VERSION ...]`.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tests.support.real_server.install import cache_folder

# One of each behavior: clicks on the main shell; clicks on subshells; clicks where the widget was made.
VERSIONS = ("6.31.0", "7.3.0", "7.4.0")

# ipykernel before 7.3 wants it, and its warning is tested.
_NEST_ASYNCIO = "nest-asyncio==1.6.0"


class InstallError(Exception):
    """It could not be installed; the message holds the command and the end of its output."""


def kernel_folder(version: str) -> Path:
    """The folder to put first on a kernel's PYTHONPATH; installs into it first unless that was done before."""
    folder = cache_folder() / f"ipykernel-{version}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Other processes may install the same version at this moment: each into a folder of its own, and one is kept.
    with tempfile.TemporaryDirectory(prefix=folder.name, dir=folder.parent, ignore_cleanup_errors=True) as temporary:
        unfinished = Path(temporary) / "unfinished"
        command = [*_pip(), "--no-deps", "--target", str(unfinished), f"ipykernel=={version}", _NEST_ASYNCIO]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
            raise InstallError(f"{shlex.join(command)}\nended with {done.returncode}:\n{tail}")
        # Would replace the installed kernel's own entry.
        shutil.rmtree(unfinished / "share", ignore_errors=True)
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.exists():
                raise
    return folder


def _pip() -> list[str]:
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    return ["uv", "pip", "install", "-q", "--python", sys.executable]


if __name__ == "__main__":
    for name in sys.argv[1:] or VERSIONS:
        print(f"ipykernel {name}: {kernel_folder(name)}")
