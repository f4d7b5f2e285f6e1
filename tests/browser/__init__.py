"""Tests in a real JupyterLab with a real Chromium: `pytest --browser tests/browser`.

A test takes the fixture `lab` (one JupyterLab and one Chromium for all tests here) and opens a notebook of its own::

    def test_something(lab: Lab, wire: Wire) -> None:
        page = lab.open(["import invoke_widgets as iw", f"console = iw.connect({wire.server.url!r})", "console"])
        page.run()
        expect(page.output(2)).to_contain_text("live")

`page.output(i)` is the playwright locator of a cell's output. `page.screenshot(path, theme="dark")` saves a screenshot,
`page.kernel_execute(code)` runs code beside the cells, `page.run_cell(i, wait=False)` leaves a cell running. See
`tests.browser.session`. The fixture marks its tests as `browser`. Playwright occupies the main thread's asyncio while
they run: `asyncio.run` does not work in them.
"""
