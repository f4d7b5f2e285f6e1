"""Run the notebooks, and save of their outputs what a page without a kernel can show.

`python -m tests.support.notebooks` saves frames, figures, pictures and each view's static table, not the widgets.
With `--compare` it writes nothing, and fails if a notebook's saved outputs are not of the same kinds as those of a run.
Names (`quickstart`) choose some of the notebooks.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from invoke_widgets import cli

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
# The first of these that an output has. A widget's own output has none: the static table stands beside it.
_SHOWN = ("image/png", "text/html", "text/plain")
_WIDGET = "application/vnd.jupyter.widget-view+json"
_ADDRESS = re.compile(r"127\.0\.0\.1:\d+")


def run(path: Path) -> list[list[dict[str, Any]]]:
    """Run a notebook on a demo server of its own, and return the outputs to save, a list for each cell."""
    cells = cli.run_notebook(path, {**os.environ, "INVOKE_WIDGETS_URL": ""})["cells"]
    return [[kept for output in cell.get("outputs", ()) if (kept := _kept(output))] for cell in cells]


def save(path: Path, outputs: list[list[dict[str, Any]]]) -> None:
    """Write outputs into a notebook."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell, shown in zip(notebook["cells"], outputs, strict=True):
        if cell["cell_type"] == "code":
            cell["outputs"] = shown
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def saved(path: Path) -> list[list[dict[str, Any]]]:
    """The outputs in a notebook, a list for each cell."""
    return [cell.get("outputs", []) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]


def outline(outputs: list[list[dict[str, Any]]]) -> list[list[str]]:
    """What is the same in each run: the kinds of outputs, and the labels of frames."""
    return [[_outline(output) for output in shown] for shown in outputs]


def _kept(output: dict[str, Any]) -> dict[str, Any] | None:
    if output["output_type"] == "stream":
        text = _ADDRESS.sub("127.0.0.1:9090", output["text"])
        return {"output_type": "stream", "name": output["name"], "text": text.splitlines(keepends=True)}
    if _WIDGET in output["data"]:
        return None
    kind = next(kind for kind in _SHOWN if kind in output["data"])
    text = _ADDRESS.sub("127.0.0.1:9090", output["data"][kind]).splitlines(keepends=True)
    kept: dict[str, Any] = {"output_type": output["output_type"], "metadata": {}, "data": {kind: text}}
    return {**kept, "execution_count": None} if output["output_type"] == "execute_result" else kept


def _outline(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return str(output["name"])  # how much it says may depend on which of two things came first
    kinds = ", ".join(output["data"])
    page = "".join(output["data"].get("text/html", ()))
    if 'class="dataframe"' not in page:
        return kinds
    return f"{kinds}: {' '.join(re.findall(r'<th>([^<]*[A-Za-z][^<]*)</th>', page))}"


def main() -> int:
    """Save or compare, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", default=sorted(path.stem for path in FOLDER.glob("*.ipynb")))
    parser.add_argument("--compare", action="store_true")
    given = parser.parse_args()
    differ = False
    for path in (FOLDER / f"{name}.ipynb" for name in given.names):
        outputs = run(path)
        if not given.compare:
            save(path, outputs)
        for index, (ours, theirs) in enumerate(zip(outline(saved(path)), outline(outputs), strict=True)):
            if ours != theirs:
                differ = True
                print(f"{path.name}, cell {index}: saved {ours}, run {theirs}")
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
