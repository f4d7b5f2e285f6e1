"""A workflow of the editor is submitted as a graph is, and becomes what InvokeAI itself makes of it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from PIL import Image

import invoke_widgets as iw
from invoke_widgets import workflows
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.widgets.submitter import JobSubmitter, recent
from tests.support import editor
from tests.support.chaos import ChaosProxy
from tests.support.parts import said
from tests.support.real_server.install import VERSIONS, installed
from tests.support.wire import Wire, until

_BUILDER = Path(__file__).parents[1] / "support" / "real_server" / "builder.py"


def test_workflow_runs_with_fields_varied_by_label(console: iw.Console) -> None:
    """It completes with the outputs of its own nodes."""
    batch = console.submit(editor.sums(), data={"First Sum.a": [1, 5], "n2.b": [10, 20]})
    assert [13, 27] == [result["n2"]["value"] for result in batch.result()]


def test_batch_nodes_are_combined_with_data(console: iw.Console) -> None:
    """What the workflow varies by itself and what is passed beside it give all combinations."""
    drawn = editor.sums()
    drawn["nodes"].append(editor.node("batch", "integer_batch", integers=[1, 2, 3], batch_group_id="None"))
    drawn["edges"].append(editor.edge("batch.value -> n1.a"))
    batch = console.submit(drawn, data={"n2.b": [10, 20]})
    sums = [result["n2"]["value"] for result in batch.result()]
    assert (6, [13, 23, 14, 24, 15, 25]) == (batch.enqueued, sums)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"add.a": [1]}, "data.add.a: 2 nodes of the workflow have the type 'add': n1, n2."),
        ({"n2.a": [1]}, "data.n2.a: is set by an edge from 'n1'"),
        ({"n2.b": ["x"]}, "data.n2.b[0]: should be an integer, got 'x'"),
    ],
)
def test_values_for_a_workflow_are_checked(console: iw.Console, data: dict[str, Any], words: str) -> None:
    """Bad ones are refused before anything is sent, as with a graph."""
    with pytest.raises(InvalidRequest) as caught:
        console.submit(editor.sums(), data=data)
    assert (True, 0) == (words in str(caught.value), console.status.total)


def test_unknown_node_type_of_a_workflow_is_named(console: iw.Console) -> None:
    """A workflow may come from a server with other node packs."""
    drawn = editor.workflow([editor.node("n1", "canny_from_a_pack")])
    with pytest.raises(InvalidRequest, match=r"nodes\.n1\.type: this server has no node type 'canny_from_a_pack'"):
        console.submit(drawn)


def test_form_suggests_the_fields_of_a_workflow(console: iw.Console) -> None:
    """It is checked as it is, its fields are suggested by name, and it is remembered by its own."""
    form = JobSubmitter(console, graph=editor.sums(), data={"n2.b": [1, 2]})
    until(lambda: form.plan.startswith("2 jobs"), "the check")
    assert ["n2.b", "First Sum.a", "First Sum.b"] == [path for path, _ in form.fields]
    form.submit()
    assert said(form).startswith("Enqueued 2 of 2")
    until(lambda: recent(console), "it to be remembered")
    assert "A sum, 2 jobs" == recent(console)[0][0]
    form.close()


# -- fields by name, sweeps, grids -----------------------------------------------------------------------------------

PICTURE: dict[str, Any] = {"nodes": {"p": {"type": "blank_image", "width": 64, "height": 64}}, "edges": []}


def test_workflow_is_run_by_the_names_of_its_fields(console: iw.Console) -> None:
    """What was set and what was varied are columns by these names, and so are the values of batch nodes."""
    drawn = editor.sums()
    drawn["nodes"].append(editor.node("many", "integer_batch", "Many", integers=[1, 2], batch_group_id="None"))
    drawn["edges"].append(editor.edge("many.value -> n1.a"))
    workflow = console.workflow(drawn)
    workflow["B"] = 100
    frame = workflow.submit().frame(30)
    assert [(1, 100, 103), (2, 100, 104)] == list(zip(frame["First Sum.a"], frame["B"], frame["n2.value"], strict=True))
    frame = workflow.sweep({"First Sum.a": [5], "B": [10, 20]}).frame(30)
    assert [(5, 10, 17), (5, 20, 27)] == list(zip(frame["First Sum.a"], frame["B"], frame["n2.value"], strict=True))


def test_values_that_differ_come_before_those_that_all_jobs_share(console: iw.Console) -> None:
    """A row of the queue and a picture's caption are cut where they end: each should say what is its own."""
    workflow = console.workflow(PICTURE).with_({"p.height": 32})
    sweep = workflow.sweep({"p.color": ["red", "blue"], "p.width": [16, 24]})
    (first, *_) = sweep.wait(30)
    assert ["p.width", "p.color", "p.height"] == [value.label for value in first.field_values or ()]


def test_sweep_over_values_that_take_a_batch_each_is_one_handle(console: iw.Console) -> None:
    """Colors cannot be varied within a batch: the jobs of all batches wait, fail and are framed together."""
    workflow = console.workflow(PICTURE)
    sweep = workflow.sweep({"p.color": ["#ff0000", "#0000ff"], "p.width": [32, 64]})
    frame = sweep.frame(30)
    assert "Nothing was left to cancel." == sweep.cancel().message
    assert (2, 4, ["completed"] * 4) == (len(sweep.batches), len(sweep), list(frame["status"]))
    assert [("#ff0000", 32), ("#ff0000", 64), ("#0000ff", 32), ("#0000ff", 64)] == list(
        zip(frame["p.color"], frame["p.width"], strict=True)
    )
    assert [(32, (255, 0, 0)), (64, (255, 0, 0)), (32, (0, 0, 255)), (64, (0, 0, 255))] == [
        (image.width, image.pil().convert("RGB").getpixel((1, 1))) for image in sweep.images
    ]


def test_frame_of_a_workflow_has_its_pictures_and_words_for_its_nodes(console: iw.Console) -> None:
    """The editor names nodes by UUIDs, which no column shows; steps towards a picture are not among the pictures."""
    blank, blur = (f"{i}d15d2d6-1ad5-5c39-9b9c-3b5ac5c7f9ba" for i in range(2))
    nodes = [editor.node(blank, "blank_image", width=64, height=64), editor.node(blur, "img_blur", "Picture")]
    nodes += [editor.node("0" * 8 + blank[8:], "add", a=1, b=2)]
    nodes[1]["data"]["isIntermediate"] = False
    batch = console.workflow(editor.workflow(nodes, editor.edge(f"{blank}.image -> {blur}.image"))).submit()
    frame = batch.frame(30)
    assert ([[image.name for image in batch.images]], [3]) == (frame["images"].tolist(), frame["add.value"].tolist())
    assert [] == [name for name in frame if blank[8:] in name]
    assert 1 == len(frame["images"][0])


def test_a_file_in_a_graphs_image_field_is_uploaded(console: iw.Console, tmp_path: Path) -> None:
    """As in a workflow of the editor; the column has the file's name."""
    path = tmp_path / "in.png"
    Image.new("RGB", (8, 8), "red").save(path)
    graph = console.workflow({"nodes": {"r": {"type": "img_resize", "width": 16, "height": 16}}})
    batch = graph.with_({"r.image": path}).submit()
    (image,) = batch.images
    assert ((255, 0, 0), str(path)) == (image.pil().getpixel((1, 1)), batch.frame()["r.image"][0])


@pytest.mark.parametrize("board", [None, "none", "auto"])
def test_a_graphs_board_field_may_name_none(console: iw.Console, board: str | None) -> None:
    """As that of a workflow; the server itself takes no such word."""
    graph = console.workflow({"nodes": {"p": {"type": "blank_image", "width": 16, "height": 16}}})
    (image,) = graph.with_({"p.board": board}).submit().images
    assert image.board is None


@pytest.mark.parametrize("drawn", [False, True])
def test_a_workflow_loaded_again_keeps_pictures_that_are_not_uploaded(
    console: iw.Console, tmp_path: Path, drawn: bool
) -> None:
    """They are no values of the server's yet; the file's name is still shown."""
    path = tmp_path / "in.png"
    Image.new("RGB", (8, 8), "red").save(path)
    node = {"type": "img_resize", "width": 16, "height": 16}
    source = editor.workflow([editor.node("r", "img_resize", "r")]) if drawn else {"nodes": {"r": node}}
    again = console.workflow(console.workflow(source).with_({"r.image": path}))
    job = again.submit().jobs[0]
    assert (str(path), "completed") == (again["r.image"], job.wait(30).status)


def test_a_sweep_over_files_has_their_names(console: iw.Console, wire: Wire, tmp_path: Path) -> None:
    """In the frame, the grid, the pictures' values, the history, and for those that are submitted again."""
    for name, color in (("a.png", "red"), ("b.png", "blue")):
        Image.new("RGB", (8, 8), color).save(tmp_path / name)
    files = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    graph = console.workflow({"nodes": {"r": {"type": "img_resize", "width": 16, "height": 16}}})
    with wire.paused():
        sweep = graph.sweep({"r.image": tmp_path})
        console.cancel(sweep.item_ids[1:])
    again = sweep.missing().submit()
    assert (files, files[1:]) == (list(sweep.frame(30)["r.image"]), list(again.frame(30)["r.image"]))
    assert files == [image.values["r.image"] for image in (*sweep.images, *again.images)]
    assert [(0, 0, 255)] == [image.pil().getpixel((1, 1)) for image in again.images]
    assert {*files} == {*console.jobs.frame()["r.image"]}


def test_a_changed_file_is_uploaded_again(console: iw.Console, tmp_path: Path) -> None:
    """A picture that is drawn on between two submits is sent as it is then."""
    path = tmp_path / "in.png"
    workflow = console.workflow({"nodes": {"r": {"type": "img_resize", "width": 16, "height": 16}}})
    colors = []
    for color in ("red", "blue"):
        Image.new("RGB", (8, 8), color).save(path)
        if color == "red":
            workflow["r.image"] = path
        (image,) = workflow.submit().images
        colors.append(image.pil().getpixel((1, 1)))
    assert [(255, 0, 0), (0, 0, 255)] == colors


def test_names_of_values_survive_the_console_and_a_retry(wire: Wire, tmp_path: Path) -> None:
    """They are in the history with the job, also where the server no longer has it; a retried job keeps them."""
    drawn = editor.workflow([editor.node("f", "probe_fail", "Trouble", message="x", use_cache=False)])
    path = tmp_path / "history.sqlite"
    with iw.connect(wire.server.url, history=path) as console:
        sweep = console.workflow(drawn).sweep({"Trouble.message": ["one", "two"]})
        sweep.wait(30)
        console.retry(sweep.item_ids).wait(30)
        console.prune()
    with iw.connect(wire.server.url, history=path) as console:
        frame = console.jobs.frame()
    assert ["one", "one", "two", "two"] == sorted(frame["Trouble.message"])


def test_a_new_kernel_calls_values_as_the_last_one_did(wire: Wire, tmp_path: Path) -> None:
    """With the same history: in the queue, and for the grid of a batch that is found again."""
    Image.new("RGB", (8, 8)).save(tmp_path / "in.png")
    drawn = editor.workflow([editor.node(name, "img_resize", width=8, height=8) for name in ("n1", "n2")])
    values = {"img_resize (1).image": tmp_path / "in.png", "img_resize (2).image": tmp_path / "in.png"}
    path = tmp_path / "history.sqlite"
    with iw.connect(wire.server.url, history=path) as console:
        sweep = console.workflow(drawn).with_(values).sweep({"img_resize (1).width": [16, 24]})
        sweep.wait(30)
    with iw.connect(wire.server.url, history=path) as console:
        batch = console.batch(sweep.batches[0].batch_id)
        expected = {"img_resize (1).width", *values}
        assert [expected] * 2 == [{value.label for value in item.field_values or ()} for item in console.queue]
        batch.grid(x="img_resize (1).width").close()


def test_pictures_carry_the_edited_workflow(console: iw.Console) -> None:
    """So that InvokeAI, and this package, can load it again from a picture."""
    drawn = editor.workflow([editor.node("p", "blank_image", width=64, height=64)])
    drawn["nodes"][0]["data"]["isIntermediate"] = False
    workflow = console.workflow(drawn)
    workflow["blank_image.width"] = 96
    (image,) = workflow.submit().images
    again = console.workflow(image.pil())
    assert (96, 96, "id" in (image.workflow() or {"id": 0})) == (image.width, again["blank_image.width"], False)


def test_each_picture_of_a_sweep_is_loaded_with_its_own_values(console: iw.Console, tmp_path: Path) -> None:
    """From the server, from a file and from an image of Pillow: the workflow in all of them is that of the first."""
    drawn = editor.workflow([editor.node("p", "blank_image", "Canvas", width=64, height=64)])
    drawn["nodes"][0]["data"]["isIntermediate"] = False
    images = console.workflow(drawn).sweep({"Canvas.width": [16, 24], "Canvas.color": ["#ff0000", "#0000ff"]}).images
    paths = images.save(tmp_path)
    for sources in (images, paths, [image.pil() for image in images], [image.workflow() for image in images]):
        again = [console.workflow(source) for source in sources]
        assert [16, 24, 16, 24] == [one["Canvas.width"] for one in again]
        assert ["#ff0000", "#ff0000", "#0000ff", "#0000ff"] == [one["Canvas.color"] for one in again]


def test_a_picture_of_a_batch_node_is_loaded_with_its_one_value(console: iw.Console, tmp_path: Path) -> None:
    """It makes one job, with the value that the batch node gave, not all jobs again."""
    nodes = [editor.node("p", "blank_image", "Canvas", width=64, height=64)]
    nodes += [
        editor.node("many", "integer_batch", "Many", integers=[16, 24], batch_group_id="None"),
        editor.connector("c"),
    ]
    drawn = editor.workflow(nodes, editor.edge("many.value -> c.in"), editor.edge("c.out -> p.width"))
    drawn["nodes"][0]["data"]["isIntermediate"] = False
    images = console.workflow(drawn).submit().images
    for source in (images[1], *images[1:].save(tmp_path)):
        again = console.workflow(source)
        assert (24, [24]) == (again["Canvas.width"], [image.width for image in again.submit().images])


def test_seeds_are_recorded(console: iw.Console) -> None:
    """Random ones, one for each job, are a column, and what the nodes were given."""
    graph = {"nodes": {"n": {"type": "random_range", "low": 0, "high": 10**9, "size": 2}}, "edges": []}
    sweep = console.workflow(graph).submit(runs=3, seed="random")
    frame = sweep.frame(30)
    expected = [list(numpy.random.default_rng(seed).integers(0, 10**9, 2)) for seed in frame["seed"]]
    assert (3, expected) == (len(set(frame["seed"])), [result["n"]["collection"] for result in sweep.result()])


def test_a_seed_is_not_taken_from_the_value_that_feeds_it(console: iw.Console) -> None:
    """Varied itself, it stays connected; a seed beside it, which would cut it off, is refused."""
    workflow = console.workflow(iw.examples.workflow("islands"))
    with pytest.raises(InvalidRequest, match=r"seed: workflow '.*' has no seed to set other than what the values give"):
        workflow.plan({"Seed": [1, 2]}, seed="random")
    assert 2 == workflow.plan({"Seed": [1, 2]}).jobs
    assert 3 == workflow.plan(seed=[1, 2, 3]).jobs
    nodes = [editor.node(name, "integer", value=1) for name in ("i1", "i2")] + [
        editor.node("n", "random_range", "Dice")
    ]
    unnamed = console.workflow(editor.workflow(nodes, "i2.value -> n.seed"))  # only their ids tell the two apart
    assert 1 == unnamed.plan({"integer (1).value": [1]}, seed="random").jobs
    with pytest.raises(InvalidRequest, match="no seed to set other than what the values give"):
        unnamed.plan({"integer (2).value": [1, 2]}, seed="random")


def test_a_seed_goes_where_the_form_has_it(console: iw.Console) -> None:
    """Into the integer that feeds it, in place of what was set; it is still connected in the form of a picture."""
    workflow = console.workflow(iw.examples.workflow("islands")).with_(Seed=5)
    batch = workflow.submit(seed=[7, 8])
    assert ([7, 8], False) == (list(batch.frame()["seed"]), "Seed" in batch.frame())
    again = console.workflow(batch.images[1])
    assert (8, "Seed.value") == (again["Seed"], again.field("Height.seed").fed_by)
    with pytest.raises(InvalidRequest, match="a negative seed is not random here"):
        workflow.plan(seed=-1)
    fixed = workflow.with_({"Height.seed": 3})  # so the integer feeds nothing any more
    assert 9 == fixed.plan(seed=9).parts[0].graph["nodes"][workflow.field("Height.seed").node_id]["seed"]


def test_workflow_of_the_library_is_loaded_by_name(console: iw.Console) -> None:
    """By its name or id; another name has a suggestion."""
    made = iw.run(console.client.create_workflow({**editor.sums(), "name": "Adds two numbers"}))
    try:
        for name in ("Adds two numbers", "adds two numbers", made.workflow_id):
            workflow = console.workflow(name)
            assert ("Adds two numbers", 10) == (workflow.name, workflow["B"])
        with pytest.raises(iw.NotFound, match="Did you mean 'Adds two numbers'"):
            console.workflow("Adds two number")
    finally:
        iw.run(console.client.delete_workflow(made.workflow_id))


def test_nothing_is_sent_of_a_sweep_with_a_wrong_value(console: iw.Console) -> None:
    """The name is the one that was used."""
    with pytest.raises(InvalidRequest, match=r"p\.width: should be an integer, got 'wide'"):
        console.workflow(PICTURE).sweep({"p.color": ["#ff0000", "#00ff00"], "p.width": [64, "wide"]})
    assert 0 == console.status.total


def test_grid_shows_states_pictures_and_errors_by_value(console: iw.Console) -> None:
    """In rows and columns, with the jobs' own ends; and as a figure."""
    sweep = console.workflow(PICTURE).sweep({"p.color": ["#ff0000", "#00ff00"], "p.width": [64, 32, 128]})
    grid = sweep.grid(x="p.width", y="p.color")
    until(lambda: 6 == len(grid.layout_["cells"]), "the values")
    until(lambda: 6 == sum(bool(state.get("names")) for state in grid.states.values()), "the pictures")
    assert (["32", "64", "128"], ["#ff0000", "#00ff00"]) == (grid.layout_["columns"], grid.layout_["rows"])
    assert [[1, 0], [0, 0], [2, 0], [1, 1], [0, 1], [2, 1]] == [cell["at"][:2] for cell in grid.layout_["cells"]]
    figure: Any = grid.figure()
    assert (6, "p.width 32") == (len(figure.axes), figure.axes[0].get_title())
    with pytest.raises(InvalidRequest, match="size: should be a number above 0, got 0"):
        grid.figure(size=0)
    assert figure._repr_png_().startswith(b"\x89PNG")  # a notebook shows it without pyplot
    at_once: Any = sweep.grid(x="p.width", y="p.color").figure()
    assert [1] * 6 == [len(axes.images) for axes in at_once.axes]
    grid.y = ""
    assert [0, 0, 0, 0, 0, 0] == [cell["at"][1] for cell in grid.layout_["cells"]]
    with pytest.raises(InvalidRequest, match="x: the jobs have no value 'width'"):
        sweep.grid(x="width")
    grid.close()


def test_workflow_form_submits_a_sweep(console: iw.Console) -> None:
    """What is typed is planned, checked by the field's name, and enqueued."""
    form = console.workflow(editor.sums()).form()
    form.form = {**form.form, "values": {"B": "1, x"}}
    until(lambda: "B" in form.problems, "the check")
    assert (0, "B: should be values such as 20 or 1, 2, 3 or 1..10.") == (form.jobs, form.problems["B"])
    form.form = {**form.form, "values": {"B": "1, x", "First Sum.a": "1.5", "First Sum.b": "1, 2.5"}, "runs": 0}
    until(lambda: len(form.problems) > 1, "the check")
    assert {"B", "First Sum.a", "First Sum.b", "runs"} == set(form.problems)  # all at once
    form.form = {**form.form, "values": {"B": "1..3", "First Sum.a": "7"}, "runs": 2}
    until(lambda: 6 == form.jobs, "the plan")
    assert form.plan.startswith("6 jobs: 3 B")
    form.submit()
    until(lambda: form.said, "the outcome")
    assert form.said["text"].startswith("Enqueued 6 of 6")
    batch = console.batch(form.said["batch"])
    assert [10, 10, 11, 11, 12, 12] == sorted(result["n2"]["value"] for result in batch.result(30))
    form.close()


def test_a_generator_is_in_the_form(console: iw.Console) -> None:
    """With its settings one by one; they, or the values that it shall make, are typed instead."""
    dice = {"type": "integer_generator_arithmetic_sequence", "start": 5, "step": 1, "count": 2}
    nodes = [
        editor.node("g", "integer_generator", "Numbers", generator=dice),
        editor.node("b", "integer_batch", batch_group_id="None"),
        editor.node("n", "add", a=0, b=100),
    ]
    shown = [{"nodeId": "g", "fieldName": "generator"}]
    drawn = editor.workflow(nodes, "g.integers -> b.integers", "b.value -> n.a", exposedFields=shown)
    form = console.workflow(drawn).form()
    (element,) = form.elements
    name = element["name"]
    assert {"start": "5", "step": "1", "count": "2"} == form.controls[name]["value"]
    given: list[tuple[Any, int]] = [({"count": "5"}, 5), ("1..3", 3), (["7", "8"], 2), ({"count": "x"}, 0), ("x", 0)]
    for typed, jobs in (*given, ({"count": ""}, 0), ([], 0)):
        form.form = {**form.form, "values": {name: typed}}
        until(lambda jobs=jobs: jobs == form.jobs, f"{jobs} jobs")
        assert (jobs == 0) == (name in form.problems)
    form.form = {**form.form, "values": {name: "7, 9"}}
    until(lambda: 2 == form.jobs, "the plan")
    form.submit()
    until(lambda: form.said, "the outcome")
    results = console.batch(form.said["batch"]).result(30)
    assert [107, 109] == sorted(result["n"]["value"] for result in results)
    form.close()


# -- generators that a server evaluates ------------------------------------------------------------------------------


def _prompts(**generator: Any) -> dict[str, Any]:
    """A workflow that a generator of prompts varies."""
    nodes = [
        editor.node("g", "string_generator", "Prompts", generator=generator),
        editor.node("b", "string_batch", batch_group_id="None"),
        editor.node("n", "string_join", string_left="", string_right="!"),
    ]
    form = [{"nodeId": "g", "fieldName": "generator"}]
    return editor.workflow(nodes, "g.strings -> b.strings", "b.value -> n.string_left", exposedFields=form)


def test_prompts_of_a_template_vary_a_workflow(console: iw.Console) -> None:
    """Loaded or pasted; with settings by name, and for others each time if the random ones have no seed."""
    kind = "string_generator_dynamic_prompts_"
    drawn = _prompts(type=f"{kind}combinatorial", input="a {red|blue} {fox|owl}", maxPrompts=3)
    expected = ["a red fox!", "a red owl!", "a blue fox!"]
    workflow = console.workflow(drawn)
    for batch in (console.submit(drawn), workflow.submit()):
        assert expected == [result["n"]["value"] for result in batch.result(30)]
    (name,) = [name for name in workflow if workflow.field(name).kind == "generator"]
    workflow[name] = {"type": f"{kind}random", "input": "{a|b|c|d|e|f} {1|2|3|4|5|6}", "count": 40}
    first, second = [[row["string_left"] for row in _data(workflow)] for _ in range(2)]
    assert (40, 40, True) == (len(first), len(second), first != second)
    workflow[name] = {"seed": 5}
    assert _data(workflow) == _data(workflow)
    workflow[name] = {"type": f"{kind}combinatorial", "input": "a {red"}
    with pytest.raises(InvalidRequest, match="cannot be understood"):
        workflow.submit()


def _data(workflow: Any) -> list[dict[str, Any]]:
    (part,) = workflow.plan().parts
    return [{part.data[0][0]["field_name"]: item} for item in part.data[0][0]["items"]]


def test_the_images_of_a_board_vary_a_workflow(console: iw.Console) -> None:
    """By the board's name; those that come later are there at the next submit."""
    board = console.boards.create("tests: foxes")
    try:
        nodes = [
            editor.node("g", "image_generator", generator={"type": "image_generator_images_from_board"}),
            editor.node("b", "image_batch", batch_group_id="None"),
            editor.node("n", "img_scale", scale_factor=0.5),
        ]
        workflow = console.workflow(editor.workflow(nodes, "g.images -> b.images", "b.image -> n.image"))
        with pytest.raises(InvalidRequest, match="the batch node has no values"):
            workflow.submit()
        workflow["image_generator.generator"] = {"board_id": "tests: foxes", "category": "assets"}
        for size in (32, 64):
            console.upload(Image.new("RGB", (size, size)), board=board)
        found = console.images_of(workflow.submit(), intermediates=True)
        assert [16, 32] == sorted(image.width for image in found)
        workflow["image_generator.generator"] = {"category": "images"}
        with pytest.raises(InvalidRequest, match="the batch node has no values"):
            workflow.submit()
    finally:
        board.delete(images=True)


# -- what reaches a server -------------------------------------------------------------------------------------------

_VARIOUS: dict[str, Any] = {
    "nodes": {
        "sum": {"type": "add"},
        "join": {"type": "string_join"},
        "noise": {"type": "img_noise"},
        "dice": {"type": "random_range", "size": 1},
        "blank": {"type": "blank_image"},
    },
    "edges": [],
}
_PLACES = {
    "sum.a": int,
    "noise.amount": float,
    "noise.noise_type": str,
    "noise.noise_color": bool,
    "join.string_left": str,
    "dice.seed": int,
    "dice.size": int,
    "blank.width": int,
    "blank.color": dict,
    "blank.mode": str,
}
_ANYTHING = (
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats()
    | some.text(max_size=3)
    | some.characters(categories=["Cs"])
    | some.sampled_from(["ADD", "RGBA", "#ff0000", "auto", "1", b"x", (1, 2, 3), {}, {"r": 1}, [1], -1, 2**31, 1.0])
)


def test_no_value_outside_its_field_reaches_the_server(wire: Wire) -> None:
    """What is refused sends nothing; what is sent, in whatever way, the server takes, loads, and finds in its field."""
    with wire.paused(), ChaosProxy(wire.server.url) as proxy, iw.connect(proxy.url, use_socket=False) as console:
        workflow = console.workflow(_VARIOUS)
        ways = (
            lambda name, value: workflow.with_({name: value}).submit(),
            lambda name, value: workflow.sweep([{name: value}, {name: value}]),
            lambda name, value: console.submit(_VARIOUS, data={name: [value]}),
        )

        @settings(max_examples=150, suppress_health_check=list(HealthCheck))
        @given(some.sampled_from(list(_PLACES)), _ANYTHING, some.sampled_from(ways))
        def send(name: str, value: Any, way: Any) -> None:
            before = len(_sent(proxy))
            try:
                jobs = way(name, value)
            except InvalidRequest:
                assert before == len(_sent(proxy))
                return
            assert before < len(_sent(proxy))
            node, field = name.split(".")
            for item_id in jobs.item_ids:
                arrived = wire.item(item_id)["session"]["graph"]["nodes"][node][field]
                assert _PLACES[name] is type(arrived)

        try:
            send()
        finally:
            wire.put("clear")  # none of it is to run: a size may be anything


def _sent(proxy: ChaosProxy) -> list[bytes]:
    return [seen.body for seen in proxy.seen if seen.path.endswith("/enqueue_batch")]


_EDITOR = Path(__file__).parents[1] / "data" / "editor"
# Without batch nodes, which the server's builder leaves in a graph.
_DRAWN = ("a_saved_workflow_called", "boards", "caches_and_intermediates", "exposed_fields_of_old")


@pytest.mark.real
@pytest.mark.timeout(400)
def test_graphs_equal_those_that_invokeai_builds() -> None:
    """Each workflow that comes with InvokeAI, and some more, becomes the graph that its own builder makes of it."""
    command = [installed(VERSIONS[0]), "-P", _BUILDER, *(_EDITOR / f"{name}.json" for name in _DRAWN)]
    environment = {**os.environ, "INVOKEAI_PATCHMATCH": "false", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    pairs = json.loads(done.stdout)
    ours = [workflows.graph_of(pair["workflow"]) for pair in pairs]
    assert 20 + len(_DRAWN) < len(pairs)
    assert [_sorted(pair["graph"]) for pair in pairs] == [_sorted(graph) for graph in ours]


def _sorted(graph: dict[str, Any]) -> dict[str, Any]:
    """A graph with its edges in order, without nulls, and with the arguments of calls as the node takes them.

    The builder forgets the arguments, and keeps null where a server then takes no null; the editor leaves it out.
    """
    nodes = {
        node_id: {name: value for name, value in node.items() if value is not None}
        for node_id, node in graph["nodes"].items()
    }
    for node in nodes.values():
        if node["type"] == "call_saved_workflow":
            arguments = {name: node.pop(name) for name in list(node) if name.startswith("saved_workflow_input::")}
            node.setdefault("workflow_inputs", arguments)
    return {**graph, "nodes": nodes, "edges": sorted(graph["edges"], key=json.dumps)}
