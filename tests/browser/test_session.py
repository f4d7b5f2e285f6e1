"""The browser tests' own helpers, with real widgets in a real JupyterLab."""

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


def test_click_reaches_python(lab: Lab) -> None:
    """A button in an output calls its Python function, whose change shows."""
    page = lab.open([_BUTTON])
    page.run()
    page.output(0).get_by_role("button", name="press").click()
    expect(page.output(0)).to_contain_text("pressed")


def test_each_notebook_has_its_own_kernel(lab: Lab) -> None:
    """A second notebook has a kernel of its own, and the helper sees only its cells."""
    first = lab.open(["x = 1; print('first')"])
    first.run()
    second = lab.open(["print('x' in globals())", "print('second')"])
    second.run()
    expect(second.output(0)).to_have_text("False")
    expect(second.output(1)).to_have_text("second")


def test_interrupt_stops_a_cell(lab: Lab) -> None:
    """A waiting cell ends with KeyboardInterrupt."""
    page = lab.open(["import time; print('begun'); time.sleep(600)"])
    page.run_cell(0, wait=False)
    expect(page.output(0)).to_contain_text("begun")
    page.interrupt()
    expect(page.output(0)).to_contain_text("KeyboardInterrupt")


def test_widgets_survive_a_page_reload(lab: Lab) -> None:
    """After F5 the widgets are back, and work."""
    page = lab.open([_BUTTON])
    page.run()
    page.reload()
    page.output(0).get_by_role("button", name="press").click()
    expect(page.output(0)).to_contain_text("pressed")


def test_kernel_execute_sees_the_cells_variables(lab: Lab) -> None:
    """Code run outside the cells sees their variables."""
    page = lab.open(["x = 41"])
    page.run()
    assert "42\n" == page.kernel_execute("print(x + 1)")


def test_themes_differ_in_screenshots(lab: Lab, tmp_path: Path) -> None:
    """The screenshots of the two themes differ."""
    page = lab.open(["print('looks')"])
    page.run()
    light = page.screenshot(tmp_path / "light.png", "light").read_bytes()
    dark = page.screenshot(tmp_path / "dark.png", "dark").read_bytes()
    assert light != dark
