"""The command `invoke-widgets`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

from invoke_widgets import __version__
from invoke_widgets.demo_server.process import EmbeddedServer
from invoke_widgets.errors import JobException

_QUICKSTART = "quickstart.ipynb"
_PACKAGE = Path(__file__).parent
_CELL_TIMEOUT_S = 120
_CONFIG = ".config"
# No question about Jupyter's news over the first cell. What the user has set wins.
_LAB_SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}
_SHUTDOWN_S = 15.0


class CommandError(Exception):
    """A command cannot be carried out; the message is for the user and includes the remedy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: the command's arguments; by default those of the process.

    Returns:
        The exit code: 0 if all is well, 1 if not, 130 after Ctrl-C, 141 if what read the output has gone (`| head`).
    """
    given = _parser().parse_args(arguments)
    try:
        code: int = given.run(given)
        sys.stdout.flush()
    except (CommandError, JobException) as error:
        print(f"invoke-widgets: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The interpreter flushes once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="invoke-widgets", description="Watch, cancel and debug InvokeAI jobs from a Jupyter notebook."
    )
    parser.add_argument("--version", action="version", version=f"invoke-widgets {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo",
        help="start a small server, and JupyterLab with the notebooks",
        description="Start a server that behaves like InvokeAI and needs no GPU, and JupyterLab with notebooks that "
        "connect to it. Ctrl-C stops both.",
    )
    demo.add_argument(
        "notebook",
        nargs="?",
        default=_QUICKSTART,
        metavar="NOTEBOOK",
        help="the notebook to open (default: %(default)s)",
    )
    demo.add_argument("--no-browser", action="store_true", help="print JupyterLab's address instead of opening it")
    demo.add_argument("--port", type=int, metavar="N", help="JupyterLab's port")
    demo.add_argument("--server-port", type=int, default=0, metavar="N", help="the server's port (default: a free one)")
    demo.add_argument(
        "--check", action="store_true", help="run the notebook without opening it, report the result, and exit"
    )
    demo.set_defaults(run=_demo)

    doctor = commands.add_parser(
        "doctor",
        help="check the server, the queue, the kernel and the front end",
        description="Report what works and what does not. The exit code is 0 if the server can be used from here "
        "and 1 if not. The token is taken from INVOKEAI_TOKEN.",
    )
    doctor.add_argument(
        "url",
        nargs="?",
        default=os.environ.get("INVOKE_WIDGETS_URL") or "http://127.0.0.1:9090",
        metavar="URL",
        help="the server's address (default: INVOKE_WIDGETS_URL, or %(default)s)",
    )
    doctor.add_argument("--json", action="store_true", help="print the report as JSON")
    doctor.set_defaults(run=_doctor)
    return parser


# -- doctor --------------------------------------------------------------------------------------------------------


def _doctor(given: argparse.Namespace) -> int:
    from invoke_widgets.doctor import examine

    report = examine(given.url)
    print(json.dumps(report.to_dict(), indent=2) if given.json else report)
    return 0 if report.usable else 1


# -- demo ----------------------------------------------------------------------------------------------------------


def _demo(given: argparse.Namespace) -> int:
    _need("nbclient" if given.check else "jupyterlab", "ipykernel")
    notebook = find_notebook(given.notebook)
    # A service manager or a closing terminal sends SIGTERM: stop the children as Ctrl-C does.
    previous = signal.signal(signal.SIGTERM, _end)
    try:
        with EmbeddedServer.start(port=given.server_port) as server:
            environment = {
                **os.environ,
                "INVOKE_WIDGETS_URL": server.url,
                # This environment's kernel rather than one of the same name in the user's own folder.
                "JUPYTER_PREFER_ENV_PATH": "1",
            }
            if given.check:
                begin = time.monotonic()
                run_notebook(notebook, environment)
                print(f"{notebook.name} ran in {time.monotonic() - begin:.1f} s.")
                return 0
            print(f"The demo server is at {server.url}. Ctrl-C stops it, and JupyterLab.", flush=True)
            return _show(notebook, environment, given)
    finally:
        signal.signal(signal.SIGTERM, previous)


def find_notebook(name: str) -> Path:
    """Find a notebook that came with the package.

    The notebooks are in a folder of their own in a checkout, and inside the package in a wheel.

    Raises:
        CommandError: there is no such notebook.
    """
    folders = (_PACKAGE / "_notebooks", _PACKAGE.parent / "notebooks")
    there = {path.name: path for folder in reversed(folders) for path in folder.glob("*.ipynb")}
    if not there:
        raise CommandError("The notebooks are missing from this installation. Reinstall invoke-widgets.")
    name = name if name.endswith(".ipynb") else f"{name}.ipynb"
    if name not in there:
        raise CommandError(f"There is no notebook {name!r}. Choose one of {', '.join(sorted(there))}.")
    return there[name]


def _show(notebook: Path, environment: dict[str, str], given: argparse.Namespace) -> int:
    """Run JupyterLab on copies of all notebooks, with this one open, until it ends or is interrupted."""
    folder = Path(tempfile.mkdtemp(prefix="invoke-widgets-notebook-"))
    for other in notebook.parent.glob("*.ipynb"):
        shutil.copy(other, folder)
    defaults = folder / _CONFIG / "labconfig" / "default_setting_overrides.json"
    defaults.parent.mkdir(parents=True)
    defaults.write_text(json.dumps(_LAB_SETTINGS))
    path = os.pathsep.join(filter(None, [str(folder / _CONFIG), environment.get("JUPYTER_CONFIG_PATH")]))
    environment = {**environment, "JUPYTER_CONFIG_PATH": path}
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    command.append(f"--LabApp.default_url=/lab/tree/{notebook.name}")
    # It shares our terminal, so Ctrl-C reaches it too, and it should not ask for confirmation.
    command += ["--ServerApp.answer_yes=True", "--log-level=ERROR", "--LabApp.log_level=ERROR", "--ip=127.0.0.1"]
    if given.no_browser:
        command.append("--no-browser")
    if given.port is not None:
        command += [f"--port={given.port}", "--ServerApp.port_retries=0"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # a container; only this machine can reach it
    lab = subprocess.Popen(command, env=environment)
    try:
        code = lab.wait()
    except KeyboardInterrupt:
        code = 0
    finally:
        _end_process(lab)
        _tidy(folder, notebook.parent)
    if code:
        raise CommandError("JupyterLab did not start, or stopped by itself; see its output above.")
    return 0


def _end_process(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(_SHUTDOWN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tidy(folder: Path, originals: Path) -> None:
    """Remove the folder, unless the user has changed something in it."""
    for path in folder.iterdir():
        original = originals / path.name
        if path.name in (".ipynb_checkpoints", _CONFIG) or (
            path.is_file() and original.is_file() and path.read_bytes() == original.read_bytes()
        ):
            continue
        print(f"\nYour changed notebooks are in {folder}")
        return
    shutil.rmtree(folder, ignore_errors=True)


def run_notebook(notebook: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Run all cells of a notebook in a kernel of this environment, and return it with its outputs.

    Args:
        notebook: the file, which is not changed.
        environment: the kernel's environment variables.

    Raises:
        CommandError: a cell failed or did not end in time, or the kernel died.
    """
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    # Without folders to search, "python3" is the kernel of this very interpreter.
    specs = KernelSpecManager(kernel_dirs=[])
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
    content: Any = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory(prefix="invoke-widgets-check-") as folder:
        resources = {"metadata": {"path": folder}}
        client = NotebookClient(
            content, km=manager, timeout=_CELL_TIMEOUT_S, resources=resources, coalesce_streams=True
        )
        try:
            client.execute(env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except CellExecutionError as error:
            raise CommandError(f"{notebook.name} failed: {error.ename}: {error.evalue}") from None
        except CellTimeoutError:
            raise CommandError(f"{notebook.name} failed: a cell did not finish within {_CELL_TIMEOUT_S} s.") from None
        except DeadKernelError:
            raise CommandError(f"{notebook.name} failed: the kernel died.") from None
    return dict(content)


def _need(*modules: str) -> None:
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise CommandError(f'{", ".join(missing)} is not installed. Install it: pip install "invoke-widgets[demo]".')


def _end(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
