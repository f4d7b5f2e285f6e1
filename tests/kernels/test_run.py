"""`iw.run(coro)` in a cell, where an event loop is already running."""

from __future__ import annotations

from tests.kernels.driver import Kernel

_WIDGETS = """
import asyncio, warnings
import ipywidgets as widgets
import invoke_widgets as iw
button, label = widgets.Button(), widgets.IntText()
def clicked(_):
    label.value += 1
button.on_click(clicked)
async def answer(seconds):
    await asyncio.sleep(seconds)
    return 42
"""


def test_run_returns_the_result(own_kernel: Kernel) -> None:
    """`iw.run` returns the coroutine's result in a cell, and repeatedly in a comprehension."""
    own_kernel.run(_WIDGETS)
    assert "42" == own_kernel.run("print(iw.run(answer(0.01)), end='')")
    assert "[42, 42]" == own_kernel.run("print([iw.run(answer(0)) for _ in range(2)], end='')")


def test_run_loses_no_queued_cell_or_click(own_kernel: Kernel) -> None:
    """Cells and clicks sent during `iw.run` are all executed, in order, and the kernel keeps working."""
    own_kernel.run(_WIDGETS)
    button, label = own_kernel.comm_of("button"), own_kernel.comm_of("label")
    for _ in range(3):
        first = own_kernel.send("print('begun'); print(iw.run(answer(0.6)))")
        own_kernel.wait_printed(first, "begun")
        own_kernel.click(button)
        queued = [own_kernel.send(f"print({i})") for i in range(3)]
        own_kernel.click(button)
        for cell in (first, *queued):
            own_kernel.wait(cell)
        assert ["begun\n42\n", "0\n", "1\n", "2\n"] == [cell.text for cell in (first, *queued)]
        assert sorted(cell.number or 0 for cell in queued) == [cell.number for cell in queued]
    own_kernel.until(lambda: 6 == len(own_kernel.updates_of(label, "value")), "six clicks")
    own_kernel.click(button)
    own_kernel.until(lambda: 7 == len(own_kernel.updates_of(label, "value")), "a click afterwards")
    assert "42" == own_kernel.run("print(await answer(0.01), end='')")


def test_run_warns_of_nest_asyncio(own_kernel: Kernel) -> None:
    """With nest_asyncio 1.6.0 applied, `iw.run` warns and still returns the result."""
    own_kernel.run(_WIDGETS)
    has_it = own_kernel.run("import importlib.util as u; print(u.find_spec('nest_asyncio') is not None, end='')")
    if has_it == "False":
        own_kernel.run("asyncio._nest_patched = True")
    else:
        own_kernel.run("import nest_asyncio; nest_asyncio.apply()")
    printed = own_kernel.run(
        "with warnings.catch_warnings(record=True) as caught:\n    warnings.simplefilter('always')\n"
        "    value = iw.run(answer(0.01))\n"
        "print(value, [str(warning.message)[:22] for warning in caught if warning.category is RuntimeWarning])"
    )
    assert "42 ['nest_asyncio is active']\n" == printed
