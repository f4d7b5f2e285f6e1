"""The dashboard in narrow windows of a real JupyterLab: nothing is cut off, and nothing scrolls sideways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from invoke_widgets import demo_server
from tests.browser.session import Lab
from tests.browser.test_dashboard import UNREADABLE, Page
from tests.support.graphs import add_and_multiply, fail
from tests.support.wire import Wire, until

pytestmark = pytest.mark.looks

Narrowed = Callable[[int], Page]

# What scrolls sideways, or stands out of the dashboard to the right; texts that end in "…" and folded code do neither.
_TOO_WIDE = """root => { const box = root.getBoundingClientRect();
  return [...root.querySelectorAll('*')].filter(e => {
    const r = e.getBoundingClientRect(), {overflowX} = getComputedStyle(e);
    if (!r.width || e.closest('.iw-hidden, pre')) return false;
    const scrolls = ['auto', 'scroll'].includes(overflowX) && e.scrollWidth > e.clientWidth + 1;
    return scrolls || r.right > box.right + 1;
  }).map(e => `${e.tagName} ${e.className} ${e.textContent.slice(0, 40)}`).slice(0, 5); }"""


@pytest.fixture
def narrowed(lab: Lab, wire: Wire) -> Iterator[Narrowed]:
    """Opens the dashboard in a window of a width."""
    page = Page(lab, wire)
    window = page.notebook.page
    before = window.viewport_size

    def narrow(width: int) -> Page:
        window.set_viewport_size({"width": width, "height": 1000})
        return page

    yield narrow
    window.set_viewport_size(before)


def heights(element: Locator) -> tuple[float, float]:
    """The top and the bottom of an element."""
    top, bottom = element.evaluate("e => [e.getBoundingClientRect().top, e.getBoundingClientRect().bottom]")
    return top, bottom


@pytest.mark.parametrize("width", [900, 500, 420])
def test_nothing_scrolls_sideways(narrowed: Narrowed, wire: Wire, pictures: Path, width: int) -> None:
    """In each tab, with long texts, an open row, a selection and open menus, nothing is wider than the dashboard."""
    page = narrowed(width)
    wire.run(add_and_multiply())
    failed = wire.run(fail("A-message-without-a-space-that-goes-on-and-on-" * 4))["item_id"]
    running, pending = wire.running_and_pending(2)
    page.row(pending[1]).get_by_role("button", name=f"Cancel item {pending[1]}").click()
    page.says(f"Canceled item {pending[1]}.")
    page.select(running, pending[0])
    page.row(failed).get_by_role("gridcell").nth(1).click()
    expect(page.view.locator(".iwt-detail")).to_contain_text("batch_id")
    for theme in ("light", "dark"):
        page.notebook.screenshot(pictures / f"{width}-{theme}.png", theme, of=page.view)
    dashboard = page.view.locator(".iw").first
    assert [] == dashboard.evaluate(_TOO_WIDE)
    page.press("More actions")
    expect(page.view.locator(".iw-sheet")).to_be_visible()
    assert [] == dashboard.evaluate(_TOO_WIDE)
    page.notebook.page.keyboard.press("Escape")
    for tab in ("Errors", "Cancellations"):
        page.tab(tab)
        page.rows().first.get_by_role("gridcell").nth(1).click()
        expect(page.view.locator(".iwt-detail").locator("visible=true")).not_to_contain_text("Reading")
        assert [] == dashboard.evaluate(_TOO_WIDE)
    for tab in ("Gallery", "Submit"):
        page.tab(tab)
        if tab == "Submit":
            page.press("Vary a field")
        assert [] == dashboard.evaluate(_TOO_WIDE)


def test_rows_are_cards_of_two_lines_where_it_is_narrow(narrowed: Narrowed, wire: Wire) -> None:
    """Under 560 pixels a row has its id, status and button above its error, and none of them is cut off."""
    failed = wire.run(fail("out of luck"))["item_id"]
    page = narrowed(420)
    row = page.row(failed)
    expect(page.view.locator(".iwt-head")).to_be_hidden()
    expect(row).to_contain_text("out of luck")
    status, error = row.locator(".iw-pill"), row.get_by_text("out of luck")
    assert heights(status)[1] <= heights(error)[0] + 2
    button = row.get_by_role("button", name=f"Retry item {failed}")
    grid, cell = page.view.get_by_role("grid").bounding_box(), button.bounding_box()
    assert grid
    assert cell
    assert cell["x"] + cell["width"] <= grid["x"] + grid["width"]
    assert cell["height"] >= 27
    narrowed(1400)
    expect(page.view.locator(".iwt-head")).to_be_visible()
    assert heights(status)[0] == pytest.approx(heights(error)[0], abs=12)


def test_each_tab_shows_its_whole_name_where_it_is_narrow(narrowed: Narrowed, wire: Wire) -> None:
    """Each tab can be read in full and pressed in a narrow window."""
    page = narrowed(420)
    _, (pending,) = wire.running_and_pending(1)
    page.row(pending).get_by_role("button", name=f"Cancel item {pending}").click()
    expect(page.view.get_by_role("tab", name="Cancellations 1")).to_be_visible()
    tabs = page.view.get_by_role("tab")
    assert [] == tabs.evaluate_all("all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)")
    for name in ("Errors", "Cancellations", "Gallery", "Submit", "Queue"):
        page.tab(name)
        expect(page.view.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")


def test_banner_and_filters_are_whole_where_it_is_narrow(narrowed: Narrowed, wire: Wire) -> None:
    """A stuck queue's banner shows its first word and both buttons, and a filter keeps the search in its place."""
    page = narrowed(420)
    wire.enqueue(data=UNREADABLE)
    expect(page.banner).to_contain_text("Queue stuck")
    top, bottom = heights(page.banner)
    for part in (page.banner.get_by_text("Queue stuck"), page.banner.get_by_role("button").last):
        assert top <= heights(part)[0]
        assert bottom >= heights(part)[1]
    before = heights(page.view.get_by_role("searchbox").locator("visible=true"))
    page.tile("Waiting").click()
    expect(page.button("Remove the filter by status")).to_be_visible()
    assert before == pytest.approx(heights(page.view.get_by_role("searchbox").locator("visible=true")), abs=1)


def test_fields_and_outcomes_are_whole_where_it_is_narrow(lab: Lab, wire: Wire) -> None:
    """No field of a form stands out of it, and no outcome's label out of its card."""
    islands = Path(demo_server.__file__).parent / "workflows" / "islands.json"
    page = Page(lab, wire, f"console.workflow({str(islands)!r}).form()")
    done = wire.run()["item_id"]
    page.notebook.kernel_execute(f"console.cancel({done})")
    page.notebook.run_cell(2)
    window = page.notebook.page
    before = window.viewport_size
    window.set_viewport_size({"width": 420, "height": 1000})
    form = page.notebook.output(2)
    expect(form.get_by_role("button", name="Another Seed")).to_be_visible()
    assert [] == form.locator(".iw").first.evaluate(_TOO_WIDE)
    page.tab("Cancellations")
    label = page.rows().first.locator(".iw-pill")
    expect(label).to_contain_text("Already finished")
    assert label.evaluate("e => e.getBoundingClientRect().right <= e.parentElement.getBoundingClientRect().right")
    window.set_viewport_size(before)  # type: ignore[arg-type]


def test_outcome_replaces_the_one_before(narrowed: Narrowed, wire: Wire) -> None:
    """The outcome of a row's button gives way to that of the next button."""
    page = narrowed(500)
    _, (pending,) = wire.running_and_pending(1)
    page.row(pending).get_by_role("button", name=f"Cancel item {pending}").click()
    page.says(f"Canceled item {pending}.")
    page.press("Pause")
    page.says("Paused")
    expect(page.view.get_by_text(f"Canceled item {pending}.").locator("visible=true")).to_have_count(0)


@pytest.mark.parametrize("width", [900, 500])
def test_detail_opened_by_key_scrolls_into_view(narrowed: Narrowed, wire: Wire, width: int) -> None:
    """The detail of the lowest row scrolls into view as far as its row leaves space."""
    page = narrowed(width)
    failed = wire.run(fail("out of luck"))["item_id"]
    wire.running_and_pending(14)
    grid = page.view.get_by_role("grid").locator("visible=true")
    expect(grid).to_have_attribute("aria-rowcount", "17")
    grid.locator(".iwt-body > [tabindex='0']").focus()
    page.notebook.page.keyboard.press("End")
    page.notebook.page.keyboard.press("Enter")
    detail = page.view.get_by_label(f"Details of item {failed}")
    expect(detail).to_contain_text("out of luck")
    expect(page.row(failed)).to_be_in_viewport()

    def in_sight() -> bool:
        head = heights(grid.locator(".iwt-headgroup"))[1] if width > 560 else heights(grid)[0]
        row, lowest, end = heights(page.row(failed))[0], heights(detail)[1], heights(grid)[1]
        return row >= head - 2 and (lowest <= end + 2 or row <= head + 2)

    until(in_sight, "the detail to be in sight")
