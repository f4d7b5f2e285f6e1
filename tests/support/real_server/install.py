"""Install real InvokeAI servers into a cache folder: `python -m tests.support.real_server.install [VERSION ...]`.

The folder is `INVOKE_WIDGETS_TEST_CACHE`, or one in the platform's cache folder. The torch that pip finds is installed
without its dependencies if it can be imported without them (a CPU build), and with them otherwise (a CUDA build).
`TORCH_ARGS` may hold further arguments for pip, such as the index of PyTorch's CPU wheels.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ("6.14.2", "6.13.8", "6.12.0", "6.8.1", "6.0.2")

_HERE = Path(__file__).parent
_TORCH = "torch==2.13.0"
_TORCHVISION = "torchvision==0.28.0"


class InstallError(Exception):
    """The server could not be installed; the message has the command and the end of its output."""


def cache_folder() -> Path:
    """Return the folder of the installed servers."""
    if chosen := os.environ.get("INVOKE_WIDGETS_TEST_CACHE"):
        return Path(chosen).expanduser().resolve()
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "invoke-widgets-tests"


def installed(version: str) -> Path:
    """Return the Python that has this version of InvokeAI, installing it first if necessary."""
    if version not in VERSIONS:
        raise InstallError(f"no pinned requirements for InvokeAI {version}; known: {', '.join(VERSIONS)}")
    venv = cache_folder() / f"invokeai-{version}"
    python = venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    requirements = _HERE / f"requirements-{version}.txt"
    stamp = venv / "installed.sha256"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python

    if venv.exists():  # half installed, or with other requirements
        shutil.rmtree(venv)
    venv.parent.mkdir(parents=True, exist_ok=True)
    _run(_python_311(), "-m", "venv", str(venv))
    torch_arguments = shlex.split(os.environ.get("TORCH_ARGS", ""))
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    _run(*pip, "uv")
    uv = [str(python), "-m", "uv", "pip", "install", "-q", "--python", str(python)]
    # Compiled once instead of at each start of a server.
    _run(*uv, "--compile-bytecode", "--no-deps", "-r", str(requirements))
    _run(*pip, "--no-deps", *torch_arguments, _TORCH)
    if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode:
        _run(*pip, *torch_arguments, _TORCH)
    _run(*pip, "--no-deps", *torch_arguments, _TORCHVISION)
    stamp.write_text(wanted)
    return python


def _python_311() -> str:
    """Return the interpreter that the requirements are pinned for."""
    if sys.version_info[:2] == (3, 11):
        return sys.executable
    if found := shutil.which("python3.11"):
        return found
    raise InstallError("InvokeAI's requirements are pinned for Python 3.11, which was not found (python3.11)")


def _run(*command: str) -> None:
    environment = {"UV_LINK_MODE": "copy", **os.environ}
    result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode:
        tail = "\n".join((result.stdout + result.stderr).splitlines()[-20:])
        raise InstallError(f"{shlex.join(command)}\nended with {result.returncode}:\n{tail}")


if __name__ == "__main__":
    for name in sys.argv[1:] or VERSIONS:
        print(f"InvokeAI {name}: {installed(name)}")
