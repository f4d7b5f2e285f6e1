"""The demo server as a process: starting, stopping, and what it keeps across a restart."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.support.graphs import add_and_multiply, blank_image, graph, sleep
from tests.support.servers import EmbeddedServer
from tests.support.wire import PATIENCE, Wire


@contextmanager
def _process(*options: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """A server process and its first line of output; it creates its temporary folder in `folder`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke_widgets.demo_server", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    assert process.stdout is not None
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def test_prints_one_line(tmp_path: Path) -> None:
    """The only output is one line of JSON, also when the process is terminated."""
    with _process(folder=tmp_path) as (process, ready):
        assert {"url", "pid", "control"} == set(ready)
        assert process.pid == ready["pid"]
        assert {"version": "6.14.2"} == httpx.get(f"{ready['url']}/api/v1/app/version", verify=False).json()
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=PATIENCE)
        assert (b"", b"") == (rest, errors)


def test_import_hides_no_module() -> None:
    """The HTTP libraries that Socket.IO's clients use are not loaded, and can be imported afterwards."""
    code = (
        "import sys, invoke_widgets.demo_server.__main__\n"
        "assert 'aiohttp' not in sys.modules, 'was loaded'\n"
        "import aiohttp"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("how", ["signal", "stdin"])
@pytest.mark.slow
def test_stops_without_leaving_its_folder(tmp_path: Path, how: str) -> None:
    """A signal or the end of standard input stops the server, even while an item runs."""
    with _process("--exit-with-stdin", folder=tmp_path) as (process, ready):
        assert 1 == len(list(tmp_path.iterdir()))
        batch = {"batch": {"graph": sleep(60)}}
        httpx.post(f"{ready['url']}/api/v1/queue/default/enqueue_batch", json=batch, verify=False).raise_for_status()
        if how == "signal":
            process.send_signal(signal.SIGTERM)
        else:
            assert process.stdin is not None
            process.stdin.close()
            process.stdin = None
        assert 0 == process.wait(PATIENCE)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.slow
def test_stops_with_its_killed_parent(tmp_path: Path) -> None:
    """With --exit-with-stdin the server stops when its parent is killed."""
    code = (
        "import subprocess, sys, time\n"
        "server = subprocess.Popen([sys.executable, '-m', 'invoke_widgets.demo_server', '--exit-with-stdin'],"
        " stdin=subprocess.PIPE)\n"
        "server.wait()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    assert parent.stdout is not None
    json.loads(parent.stdout.readline())
    parent.kill()
    parent.wait()
    # The server has the other end of this pipe: it is at its end when the server is.
    ended = threading.Event()
    reader = threading.Thread(target=lambda: (parent.stdout and parent.stdout.read(), ended.set()), daemon=True)
    reader.start()
    assert ended.wait(PATIENCE)
    parent.stdout.close()


@pytest.fixture
def kept() -> Iterator[EmbeddedServer]:
    """A server with a folder that outlives it."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedServer(root=Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.slow
def test_restart_cancels_the_running_item(kept: EmbeddedServer, crash: bool) -> None:
    """Finished items and images are kept, pending items run, ids are not reused."""
    with Wire(kept) as wire:
        done = wire.run()["item_id"]
        running = wire.start(sleep(60))[0]
        waiting = wire.enqueue(add_and_multiply())["item_ids"][0]
        image = wire.get("/images/")["items"]
    kept.restart(crash=crash)
    with Wire(kept) as wire:
        assert "completed" == wire.item(done)["status"]
        assert "canceled" == wire.wait_for(running, "canceled")["status"]
        assert "completed" == wire.wait_for(waiting, "completed")["status"]
        assert image == wire.get("/images/")["items"]
        assert wire.enqueue()["item_ids"][0] > waiting


@pytest.mark.slow
def test_images_survive_a_restart(kept: EmbeddedServer) -> None:
    """Image and thumbnail are real files."""
    with Wire(kept) as wire:
        result = wire.run(blank_image(32, 16, (255, 0, 0)))["session"]["results"]
        name = next(iter(result.values()))["image"]["image_name"]
    kept.restart()
    with Wire(kept) as wire:
        full = Image.open(io.BytesIO(wire.send("GET", f"/images/i/{name}/full").content))
        assert ("PNG", (32, 16), (255, 0, 0)) == (full.format, full.size, full.getpixel((5, 5)))
        thumbnail = Image.open(io.BytesIO(wire.send("GET", f"/images/i/{name}/thumbnail").content))
        assert "WEBP" == thumbnail.format


def test_image_nodes(kept: EmbeddedServer) -> None:
    """Each image node has the effect of its name."""
    red = {"r": 200, "g": 100, "b": 0, "a": 255}
    nodes: dict[str, dict[str, Any]] = {
        "blank": {"type": "blank_image", "width": 40, "height": 20, "color": red},
        "half": {"type": "img_scale", "scale_factor": 0.5},
        "blur": {"type": "img_blur", "radius": 2},
        "dark": {"type": "img_lerp", "max": 127},
        "paste": {"type": "img_paste", "x": 30, "y": 0},
    }
    from_blank = [f"blank.image -> {name}.image" for name in ("half", "blur", "dark")]
    with Wire(kept) as wire:
        pasted = ("blank.image -> paste.base_image", "half.image -> paste.image")
        session = wire.run(graph(nodes, *from_blank, *pasted))["session"]

        def output(name: str) -> Image.Image:
            result = session["results"][session["source_prepared_mapping"][name][0]]
            content = wire.send("GET", f"/images/i/{result['image']['image_name']}/full").content
            image: Image.Image = Image.open(io.BytesIO(content))
            assert (result["width"], result["height"]) == image.size
            return image

        assert ((20, 10), (200, 100, 0)) == (output("half").size, output("half").getpixel((3, 3)))
        assert ((40, 20), (200, 100, 0, 255)) == (output("blur").size, output("blur").getpixel((3, 3)))
        assert (99, 49, 0) == output("dark").getpixel((0, 0))
        assert (50, 20) == output("paste").size


def test_equal_nodes_are_cached(kept: EmbeddedServer) -> None:
    """An equal node returns the earlier image, unless that was deleted."""
    cached = graph({"b": {"type": "blank_image", "width": 8, "height": 8}})

    def image_name(wire: Wire) -> str:
        result = wire.run(cached)["session"]["results"]
        name: str = next(iter(result.values()))["image"]["image_name"]
        return name

    with Wire(kept) as wire:
        first = image_name(wire)
        assert first == image_name(wire)
        wire.delete(f"/images/i/{first}")
        assert first != image_name(wire)
