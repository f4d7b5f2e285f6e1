"""What would make other browser tests pass without a reason: a shared kernel, and one theme in place of two."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.session import Lab


def test_each_notebook_has_its_own_kernel(lab: Lab) -> None:
    """A second notebook has a kernel of its own, and the helper sees only its cells."""
    first = lab.open(["x = 1; print('first')"])
    first.run()
    second = lab.open(["print('x' in globals())", "print('second')"])
    second.run()
    expect(second.output(0)).to_have_text("False")
    expect(second.output(1)).to_have_text("second")


def test_themes_differ_in_screenshots(lab: Lab, tmp_path: Path) -> None:
    """The screenshots of the two themes differ."""
    page = lab.open(["print('looks')"])
    page.run()
    light = page.screenshot(tmp_path / "light.png", "light").read_bytes()
    dark = page.screenshot(tmp_path / "dark.png", "dark").read_bytes()
    assert light != dark
