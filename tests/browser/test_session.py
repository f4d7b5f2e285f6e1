"""The browser tests' own machinery: what it runs is a real JupyterLab with real widgets."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.session import Lab

_BUTTON = """
import ipywidgets as widgets
button, label = widgets.Button(description="press"), widgets.Label("waiting")
button.on_click(lambda _: setattr(label, "value", "pressed"))
widgets.VBox([button, label])
"""


def test_a_click_reaches_python(lab: Lab) -> None:
    """A button in an output calls its Python function, whose change is shown."""
    page = lab.open([_BUTTON])
    page.run()
    page.output(0).get_by_role("button", name="press").click()
    expect(page.output(0)).to_contain_text("pressed")


def test_a_second_notebook_is_a_fresh_one(lab: Lab) -> None:
    """Each notebook has a kernel of its own, and the helper sees its own cells only."""
    first = lab.open(["x = 1; print('first')"])
    first.run()
    second = lab.open(["print('x' in globals())", "print('second')"])
    second.run()
    expect(second.output(0)).to_have_text("False")
    expect(second.output(1)).to_have_text("second")


def test_a_cell_is_interrupted(lab: Lab) -> None:
    """A cell that waits ends with KeyboardInterrupt."""
    page = lab.open(["import time; print('begun'); time.sleep(600)"])
    page.run_cell(0, wait=False)
    expect(page.output(0)).to_contain_text("begun")
    page.interrupt()
    expect(page.output(0)).to_contain_text("KeyboardInterrupt")


def test_widgets_survive_a_reload_of_the_page(lab: Lab) -> None:
    """After F5 the widgets are there again, and work."""
    page = lab.open([_BUTTON])
    page.run()
    page.reload()
    page.output(0).get_by_role("button", name="press").click()
    expect(page.output(0)).to_contain_text("pressed")


def test_code_runs_beside_the_cells(lab: Lab) -> None:
    """The helper's own code sees what the cells made."""
    page = lab.open(["x = 41"])
    page.run()
    assert "42\n" == page.kernel_execute("print(x + 1)")


def test_both_themes_are_shown(lab: Lab, tmp_path: Path) -> None:
    """The pictures of the two themes differ."""
    page = lab.open(["print('looks')"])
    page.run()
    light = page.screenshot(tmp_path / "light.png", "light").read_bytes()
    dark = page.screenshot(tmp_path / "dark.png", "dark").read_bytes()
    assert light != dark
