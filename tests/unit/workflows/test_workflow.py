"""A workflow's fields by name: how they are called, set, checked, and what a sweep sends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.records import BoardRecord, ModelRecord
from invoke_widgets.workflows import (
    NodeSchemas,
    Workflow,
    fields,
    graph_of,
    own_data,
    questions,
    read_source,
    with_called,
)
from tests.support import editor


def field(title: str, required: bool = False, **schema: Any) -> dict[str, Any]:
    return {"title": title, "input": "any", "orig_required": required, **schema}


def optional(reference: str) -> dict[str, Any]:
    return {"anyOf": [{"$ref": f"#/components/schemas/{reference}"}, {"type": "null"}], "default": None}


def node(name: str, title: str, **properties: Any) -> dict[str, Any]:
    return {"class": "invocation", "title": title, "properties": {"type": {"const": name}, "id": {}, **properties}}


def record(name: str, *keys: str, kind: str = "string") -> dict[str, Any]:
    return {"type": "object", "properties": {key: {"type": kind} for key in keys}, "required": list(keys)}


SCHEMAS = NodeSchemas(
    {
        "components": {
            "schemas": {
                "Loader": node(
                    "loader",
                    "Main Model",
                    model=field(
                        "Model",
                        True,
                        ui_model_base=["sd-1"],
                        ui_model_type=["main"],
                        **optional("ModelIdentifierField"),
                    ),
                ),
                "Prompt": node("prompt", "Prompt", prompt=field("Prompt", type="string", default="")),
                "Denoise": node(
                    "denoise",
                    "Denoise",
                    positive=field("Positive", True, input="connection") | {"input": "connection"},
                    steps=field("Steps", type="integer", exclusiveMinimum=0, default=10),
                    cfg=field(
                        "CFG", anyOf=[{"type": "number"}, {"type": "array", "items": {"type": "number"}}], default=7.5
                    ),
                    scheduler=field("Scheduler", type="string", enum=["euler", "ddim"], default="euler"),
                    seed=field("Seed", type="integer", minimum=0, default=0),
                    tiled=field("Tiled", type="boolean", default=False),
                    image=field("Image", **optional("ImageField")),
                    color=field("Color", **{"$ref": "#/components/schemas/ColorField"}),
                    board=field("Board", **optional("BoardField")),
                    hidden=field("Hidden", type="integer", ui_hidden=True),
                ),
                "Call": node(
                    "call_saved_workflow",
                    "Call Saved Workflow",
                    workflow_id=field("Workflow Id", type="string", default=""),
                    workflow_inputs=field("Inputs", type="object", default={}, ui_hidden=True),
                ),
                "RandInt": node("rand_int", "Random Integer", low=field("Low", type="integer", default=0)),
                "ModelIdentifierField": record("", "key", "hash", "name", "base", "type"),
                "ImageField": record("", "image_name"),
                "BoardField": record("", "board_id"),
                "ColorField": record("", "r", "g", "b", "a", kind="integer"),
            }
        }
    }
)
MODELS = (
    ModelRecord(key="k1", hash="h1", name="Dreamer", base="sd-1", type="main"),
    ModelRecord(key="k2", hash="h2", name="Juggernaut", base="sdxl", type="main"),
    ModelRecord(key="k3", hash="h3", name="Painter", base="sd-1", type="main"),
)
BOARDS = (BoardRecord(board_id="b1", board_name="Foxes"),)
KEYS = {"key": "k1", "hash": "h1", "name": "Dreamer", "base": "sd-1", "type": "main"}


def drawn(**entries: Any) -> dict[str, Any]:
    """Return a workflow with a form: a model, two prompts, and the sampler; its seed comes from a random number."""
    nodes = [
        editor.node("n1", "loader", model=None),
        editor.node("n2", "prompt", "Positive", prompt="a fox"),
        editor.node("n3", "prompt", "Negative", prompt=""),
        editor.node("n4", "denoise", steps=10, cfg=7.5, scheduler="euler", seed=0, tiled=False, board="auto"),
        editor.node("n5", "rand_int", "Dice", low=0),
    ]
    exposed = [("n1", "model"), ("n2", "prompt"), ("n3", "prompt"), ("n4", "steps"), ("n4", "cfg"), ("n4", "seed")]
    entries = {"exposedFields": [{"nodeId": n, "fieldName": f} for n, f in exposed], **entries}
    return editor.workflow(nodes, "n2.value -> n4.positive", "n5.value -> n4.seed", **entries)


def loaded(source: dict[str, Any] | None = None) -> Workflow:
    return Workflow(drawn() if source is None else source, SCHEMAS, models=MODELS, boards=BOARDS)


def ready() -> Workflow:
    workflow = loaded()
    workflow["Model"] = "Dreamer"
    return workflow


def refused(workflow: Workflow, name: str, value: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        workflow[name] = value
    assert name not in workflow.changes
    return caught.value


# -- names -----------------------------------------------------------------------------------------------------------


def test_fields_are_named_in_words_the_form_first() -> None:
    """By title; where two share it, with their nodes' labels. Fields outside the form are "node.field"."""
    names = list(loaded())
    assert ["Model", "Positive: Prompt", "Negative: Prompt", "Steps", "CFG", "Seed"] == names[:6]
    assert {"denoise.scheduler", "denoise.board", "Dice.low"} < set(names[6:])
    assert not {"denoise.positive", "denoise.hidden"} & set(names)


def test_clashes_that_nodes_cannot_solve_get_headings_then_numbers() -> None:
    """Two nodes without labels: the heading tells them apart, or else a number."""

    def shown(element_id: str, node_id: str) -> dict[str, Any]:
        place = {"nodeId": node_id, "fieldName": "prompt"}
        return {element_id: {"type": "node-field", "data": {"fieldIdentifier": place}}}

    nodes = [editor.node(f"n{i}", "prompt", prompt="") for i in range(1, 5)]
    elements = {
        "root": {"type": "container", "data": {"children": ["h1", "f1", "h2", "f2", "f3"]}},
        "h1": {"type": "heading", "data": {"content": "Sky"}},
        "h2": {"type": "heading", "data": {"content": "Sea"}},
        **shown("f1", "n1"),
        **shown("f2", "n2"),
        **shown("f3", "n3"),
    }
    source = editor.workflow(nodes, form={"rootElementId": "root", "elements": elements})
    assert ["Sky: Prompt", "Sea: Prompt", "Sea: Prompt (2)", "prompt (4).prompt"] == list(loaded(source))


def test_an_unknown_name_has_a_suggestion() -> None:
    """The nearest name; capitals do not matter, nor does it whether a name or a path is used."""
    workflow = loaded()
    with pytest.raises(InvalidRequest, match="Did you mean 'Positive: Prompt'"):
        workflow["Positive Prompt"] = "a cat"
    workflow["steps"] = 12
    workflow["denoise.cfg"] = 3
    assert {"Steps": 12, "CFG": 3.0} == workflow.changes


def test_graphs_have_their_fields_by_path() -> None:
    """All inputs that a node of the server has, and no name in a form."""
    graph = {"nodes": {"d": {"type": "denoise", "steps": 3}}, "edges": []}
    workflow = loaded(graph)
    assert {"d.steps", "d.seed", "d.board"} < set(workflow)
    workflow["d.steps"] = 4
    assert (4, 3) == (workflow.to_dict()["nodes"]["d"]["steps"], graph["nodes"]["d"]["steps"])  # type: ignore[index]


def test_table_of_fields_has_kind_value_bounds_and_choices() -> None:
    """What a field takes, in words and numbers."""
    workflow = loaded()
    workflow["Model"] = "Dreamer"
    table = workflow.fields.set_index("name")
    assert ("model", "Dreamer", True) == tuple(table.loc["Model", ["kind", "value", "required"]])
    assert ("integer", 10, 1, 1) == tuple(table.loc["Steps", ["kind", "value", "minimum", "step"]])
    assert ("choice", ("euler", "ddim")) == tuple(table.loc["denoise.scheduler", ["kind", "choices"]])
    assert "Dice.value" == table.loc["Seed", "fed_by"]
    assert ["switch", "image", "color", "board"] == [
        table.loc[f"denoise.{f}", "kind"] for f in ("tiled", "image", "color", "board")
    ]


# -- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("Steps", 0, "Steps: should be above 0, got 0"),
        ("Steps", "x", "Steps: should be an integer, got 'x'"),
        ("Steps", True, "Steps: should be an integer, got True"),
        ("Steps", [1, 2], "Steps: takes one value, got 2. For one job per value: sweep({'Steps': [...]})"),
        ("CFG", "strong", "CFG: should be number or array"),
        ("CFG", float("nan"), "CFG: should be a finite number"),
        ("Positive: Prompt", 5, "Positive: Prompt: should be a string"),
        ("Positive: Prompt", "\ud83d", "half of a character"),
        ("denoise.scheduler", "eulr", "should be one of 'euler', 'ddim'"),
        ("denoise.tiled", "no", "should be a boolean"),
        ("denoise.color", "reddish", "should be a color such as '#ff8800', 'orange'"),
        ("denoise.color", (1, 2, 300), "should be a color"),
        ("denoise.image", 5, "should be a picture: a path"),
        ("denoise.image", "in/fox.png", "there is no file 'in/fox.png'"),
        ("denoise.image", "~/no such/fox.png", "there is no file '~/no such/fox.png'"),
        ("denoise.image", Path("fox.png"), "there is no file 'fox.png'"),
        ("denoise.board", "Foxs", "this server has no board 'Foxs'. Did you mean 'Foxes'?"),
        ("Seed", "random", "For a seed: submit(seed='random')"),
        ("Seed", -1, "Seed: a negative seed is not random here"),
        ("Model", "Dremer", "Model: this server has no model 'Dremer'. Did you mean 'Dreamer'?"),
        (
            "Model",
            "Juggernaut",
            "'Juggernaut' is a main model of the base sdxl, and the field takes sd-1. One of: 'Dreamer', 'Painter'.",
        ),
        ("Model", 7, "should be the name of a model"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_the_forms_name(name: str, value: Any, words: str) -> None:
    """When it is set, in words; nothing is changed."""
    error = refused(loaded(), name, value)
    assert (name, True) == (error.field, words in str(error))


@pytest.mark.parametrize(
    ("name", "value", "sent", "shown"),
    [
        ("Model", "Dreamer", KEYS, "Dreamer"),
        ("Model", "dreamer", KEYS, "Dreamer"),
        ("Model", "k1", KEYS, "Dreamer"),
        ("Model", MODELS[0], KEYS, "Dreamer"),
        ("Model", pandas.Series(KEYS), KEYS, "Dreamer"),
        ("Steps", numpy.int64(5), 5, 5),
        ("CFG", 3, 3.0, 3.0),
        ("denoise.tiled", numpy.bool_(True), True, True),
        ("denoise.color", "orange", {"r": 255, "g": 165, "b": 0, "a": 255}, "#ffa500"),
        ("denoise.color", "#f80", {"r": 255, "g": 136, "b": 0, "a": 255}, "#ff8800"),
        ("denoise.color", "#ff8800", {"r": 255, "g": 136, "b": 0, "a": 255}, "#ff8800"),
        ("denoise.color", (1, 2, 3, 4), {"r": 1, "g": 2, "b": 3, "a": 4}, "#01020304"),
        ("denoise.board", "Foxes", {"board_id": "b1"}, "Foxes"),
        ("denoise.image", "x.png", {"image_name": "x.png"}, "x.png"),
    ],
)
def test_values_are_sent_as_the_server_takes_them(name: str, value: Any, sent: Any, shown: Any) -> None:
    """And shown as they are called."""
    workflow = ready()
    workflow[name] = value
    known = workflow.field(name)
    assert (sent, shown) == (workflow.to_graph()["nodes"][known.node_id][known.field], workflow[name])


def test_the_source_is_kept_and_a_copy_is_its_own() -> None:
    """Edits are a layer; `with_` changes a copy."""
    source = drawn()
    before = json.dumps(source)
    workflow = loaded(source)
    changed = workflow.with_({"CFG": 3}, Steps=20)
    assert ({}, {"CFG": 3.0, "Steps": 20}, before) == (workflow.changes, changed.changes, json.dumps(source))
    assert graph_of(source) == workflow.to_graph()


def test_setting_a_field_takes_out_the_edge_that_feeds_it() -> None:
    """The random number no longer decides, and is still there for others."""
    workflow = ready()
    workflow["Seed"] = 7
    graph = workflow.to_graph()
    assert (7, ["n2"]) == (graph["nodes"]["n4"]["seed"], [edge["source"]["node_id"] for edge in graph["edges"]])


def test_what_is_missing_is_said_before_anything_is_sent() -> None:
    """A required model, an edge, a node that the server does not have, a model that only another server had."""
    source = drawn()
    source["nodes"][0]["data"]["inputs"]["model"]["value"] = {**KEYS, "key": "x", "hash": "x", "name": "Elsewhere"}
    source["nodes"].append(editor.node("n6", "from_a_pack", size=3))
    source["edges"] = source["edges"][1:]
    problems = " ".join(loaded(source).problems)
    assert "Model: this server has no model 'Elsewhere'. One of: 'Dreamer', 'Painter'." in problems
    assert "this server has no node type 'from_a_pack'" in problems
    assert "Denoise: the input 'Positive' needs an edge." in problems
    with pytest.raises(InvalidRequest, match=r"Model: is required, and has no value\. One of: 'Dreamer', 'Painter'"):
        loaded().plan()


@pytest.mark.parametrize("drawn_empty", [True, False])
def test_a_required_text_may_be_empty(drawn_empty: bool) -> None:
    """As in the editor and for the server: a negative prompt often is. It still needs a value, if only this one."""
    schemas = NodeSchemas(
        {"components": {"schemas": {"T": node("teller", "Teller", words=field("Words", True, type="string"))}}}
    )
    teller = editor.node("n", "teller", words="" if drawn_empty else ...)
    problems = Workflow(editor.workflow([teller]), schemas).problems
    assert ([] if drawn_empty else ["teller.words: is required, and has no value."]) == problems


def test_a_model_that_has_another_key_here_is_found() -> None:
    """By its hash, or else its name: the graph gets this server's key."""
    source = drawn()
    source["nodes"][0]["data"]["inputs"]["model"]["value"] = {**KEYS, "key": "another", "name": "Renamed"}
    assert KEYS == loaded(source).plan().parts[0].graph["nodes"]["n1"]["model"]


# -- sweeps ----------------------------------------------------------------------------------------------------------


def test_a_sweep_is_the_product_in_one_batch() -> None:
    """The server varies texts and numbers; the last varies fastest."""
    plan = ready().plan({"Steps": [10, 20], "CFG": (3, 5)})
    (part,) = plan.parts
    (group,) = part.data
    assert {"steps": [10, 10, 20, 20], "cfg": [3.0, 5.0, 3.0, 5.0]} == {e["field_name"]: e["items"] for e in group}
    assert {("n4", "steps"): "Steps", ("n4", "cfg"): "CFG"} == part.names
    assert (4, {"Model": "Dreamer"}, "A sum") == (plan.jobs, part.shared, part.workflow and part.workflow["name"])
    assert "id" not in (part.workflow or {"id": 0})


def test_values_that_a_batch_cannot_vary_take_a_batch_each() -> None:
    """Models, switches and colors: the names and values stay with the jobs."""
    plan = ready().plan({"Model": ["Dreamer", "Painter"], "denoise.tiled": [True, False], "Steps": [1, 2]})
    assert [("Dreamer", True), ("Dreamer", False), ("Painter", True), ("Painter", False)] == [
        (part.shared["Model"], part.shared["denoise.tiled"]) for part in plan.parts
    ]
    assert [[1, 2]] * 4 == [part.data[0][0]["items"] for part in plan.parts]
    assert ["k1", "k1", "k3", "k3"] == [part.graph["nodes"]["n1"]["model"]["key"] for part in plan.parts]


@pytest.mark.parametrize("make", [list, pandas.DataFrame])
def test_rows_are_one_job_each(make: Any) -> None:
    """A list of mappings, or a frame; what a row leaves out keeps its value."""
    rows = [{"Steps": 5, "Positive: Prompt": "a cat"}, {"Steps": 6, "Positive: Prompt": "a dog"}]
    (part,) = ready().plan(make(rows)).parts
    assert [[5, 6], ["a cat", "a dog"]] == [entry["items"] for entry in part.data[0]]
    (part,) = ready().plan([{"Steps": 5}, {"CFG": 1}]).parts
    assert {"steps": [5, 10], "cfg": [7.5, 1.0]} == {e["field_name"]: e["items"] for e in part.data[0]}


def test_prompts_come_from_a_file_and_pictures_from_a_folder(tmp_path: Path) -> None:
    """One job per line, without empty ones; one per picture, by name."""
    (tmp_path / "prompts.txt").write_text("\ufeffa cat\n\n a dog \n", "utf-8")
    for name in ("b.png", "a.jpg", "notes.txt", "._a.jpg"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "more.png").mkdir()
    plan = ready().plan({"Positive: Prompt": tmp_path / "prompts.txt", "denoise.image": tmp_path})
    assert (4, ["a.jpg", "b.png"]) == (plan.jobs, [upload.source.name for upload in plan.uploads])
    assert ["a cat", "a cat", "a dog", "a dog"] == plan.parts[0].data[0][0]["items"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"denoise.image": "in/foxes"}, "denoise.image: there is no file 'in/foxes'"),
        ({"Positive: Prompt": Path("foxes.txt")}, "Positive: Prompt: the file 'foxes.txt' cannot be read: No such"),
        ({"Positive: Prompt": Path("tests")}, "Positive: Prompt: the file 'tests' cannot be read: Is a directory"),
    ],
)
def test_paths_of_no_file_are_refused(values: Any, words: str) -> None:
    """Rather than taken for a picture's name on the server, or raising an exception of another kind."""
    with pytest.raises(InvalidRequest, match=words):
        ready().plan(values)


def test_paths_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the user's home, as when pictures are saved."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a.png", "prompts.txt"):
        (tmp_path / name).write_text("a cat")
    plan = ready().plan({"Positive: Prompt": Path("~/prompts.txt"), "denoise.image": "~"})
    assert (1, tmp_path / "a.png") == (plan.jobs, plan.uploads[0].source)
    assert tmp_path / "a.png" == ready().with_({"denoise.image": "~/a.png"}).plan().uploads[0].source
    (tmp_path / "w.json").write_text('{"nodes": []}')
    assert {"nodes": []} == read_source("~/w.json") == read_source(Path("~/w.json"))


def test_a_row_that_leaves_a_picture_out_keeps_it() -> None:
    """Also one that was set as bytes, or as an image of Pillow, which has no name before it is uploaded."""
    workflow = ready().with_({"denoise.image": b"png"})
    (part,) = workflow.plan([{"denoise.image": "there.png"}, {"Steps": 5}]).parts
    (images,) = [entry["items"] for entry in part.data[0] if entry["field_name"] == "image"]
    assert ["there.png", ""] == [image["image_name"] for image in images]


def test_uploaded_pictures_get_their_names_in_every_part() -> None:
    """The graph, the values and the workflow have the name that the server gave."""
    workflow = ready().with_({"denoise.image": b"png"})
    plan = workflow.plan({"denoise.tiled": [True, False]})
    (upload,) = plan.uploads
    upload["image_name"] = "up.png"
    assert ["up.png", "up.png"] == [part.graph["nodes"]["n4"]["image"]["image_name"] for part in plan.parts]


def seeds(plan: Any) -> list[int]:
    (part,) = plan.parts
    entry = next((e for group in part.data for e in group if e["field_name"] == "seed"), None)
    return entry["items"] if entry else [part.graph["nodes"]["n4"]["seed"]] * plan.jobs


def test_seeds_are_random_and_told() -> None:
    """Each job has its own, or all have the same; several make a job each. The column is called "seed"."""
    plan = ready().plan({"Steps": [1, 2]}, seed="random", runs=3)
    assert (6, 6) == (plan.jobs, len(set(seeds(plan))))
    assert "seed" in plan.parts[0].names.values()
    assert 1 == len(set(seeds(ready().plan({"Steps": [1, 2]}, seed="same"))))
    assert [4, 5, 4, 5] == seeds(ready().plan({"Steps": [1, 2]}, seed=range(4, 6)))
    (part,) = ready().plan(seed=7).parts
    assert ({"Model": "Dreamer", "seed": 7}, 7) == (part.shared, part.graph["nodes"]["n4"]["seed"])


@pytest.mark.parametrize(
    ("values", "seed", "words"),
    [
        ({"Steps": []}, None, "Steps: has no values"),
        ({}, None, "no field is varied"),
        ("Steps", None, "values: should be {name: [values]}"),
        ([{"Steps": 1}, 5], None, "each row should be a mapping"),
        ([], None, "values: has no rows"),
        ({"Stps": [1]}, None, "Did you mean 'Steps'?"),
        ({"Steps": [1], "denoise.steps": [2]}, None, "Steps: is set twice"),
        ([{"Steps": 1}, {"Steps": 1, "denoise.steps": 2}], None, "Steps: is set twice"),
        ({"Steps": [1, 0]}, None, "Steps: should be above 0"),
        ({"Steps": [1]}, -1, "negative seed"),
        ({"Steps": [1]}, "lucky", "seed: should be 'random', 'same', a number or numbers"),
        ({"Seed": [1]}, "random", "seed: workflow 'A sum' has no seed to set other than what the values give"),
    ],
)
def test_a_wrong_sweep_is_refused(values: Any, seed: Any, words: str) -> None:
    """In words, before anything is sent."""
    with pytest.raises(InvalidRequest) as caught:
        ready().plan(values, seed=seed)
    assert words in str(caught.value)


def test_batch_nodes_vary_beside_a_sweep_and_can_be_replaced() -> None:
    """A batch node's values are a field; setting what it feeds takes it out."""
    source = drawn()
    source["nodes"].append(editor.node("b", "integer_batch", "Many", integers=[1, 2, 3], batch_group_id="None"))
    source["edges"].append(editor.edge("b.value -> n4.steps"))
    workflow = loaded(source).with_(Model="Dreamer")
    assert 6 == workflow.plan({"CFG": [3, 5]}).jobs
    workflow["Many.integers"] = [8, 9]
    (part,) = workflow.plan().parts
    assert ([8, 9], {("n4", "steps"): "Steps"}) == (part.data[0][0]["items"], part.names)
    assert [] == workflow.with_(Steps=4).plan().parts[0].data
    assert [] == own_data(workflow.with_(Steps=4).to_dict())


@given(
    some.dictionaries(
        some.sampled_from(["Steps", "CFG", "Positive: Prompt", "denoise.scheduler"]),
        some.none() | some.integers() | some.floats() | some.text(max_size=5) | some.booleans(),
        min_size=1,
    )
)
def test_no_value_outside_its_field_reaches_a_graph(values: dict[str, Any]) -> None:
    """Whatever is set, what would be sent is of the field's type and in its range."""
    workflow = ready()
    for name, value in values.items():
        try:
            workflow[name] = value
        except InvalidRequest:
            continue
    sent = workflow.plan().parts[0].graph["nodes"]
    assert type(sent["n4"]["steps"]) is int
    assert sent["n4"]["steps"] > 0
    assert isinstance(sent["n4"]["cfg"], float)
    assert sent["n4"]["scheduler"] in ("euler", "ddim")
    assert isinstance(sent["n2"]["prompt"].encode(), bytes)


# -- generators, and calls of saved workflows ------------------------------------------------------------------------


def generated(kind: str, **settings: Any) -> dict[str, Any]:
    """Return a workflow whose steps a generator makes, which its form shows."""
    source = drawn()
    source["nodes"] += [
        editor.node("g", f"{kind.partition('_generator')[0]}_generator", "Many", generator={"type": kind, **settings}),
        editor.node("b", "integer_batch", integers=[]),
    ]
    source["edges"] += [editor.edge("g.integers -> b.integers"), editor.edge("b.value -> n4.steps")]
    source["exposedFields"].insert(0, {"nodeId": "g", "fieldName": "generator"})
    return source


def test_a_generator_is_a_field_of_the_form() -> None:
    """Its settings are the value, with the editor's defaults; some of them are set, or the values themselves."""
    workflow = loaded(generated("integer_generator_arithmetic_sequence", start=5)).with_(Model="Dreamer")
    (name, *_) = workflow
    known = workflow.field(name)
    settings = {"type": "integer_generator_arithmetic_sequence", "start": 5, "step": 1, "count": 10}
    assert ("Generator", "generator", settings) == (name, known.kind, workflow[name])
    workflow[name] = {"count": 2}
    workflow[name] = {"step": 3}
    (part,) = workflow.plan().parts
    assert ([5, 8], 2) == (part.data[0][0]["items"], part.jobs)
    assert {"start": 5, "step": 3, "count": 2}.items() <= part.workflow["nodes"][-2]["data"]["inputs"]["generator"][  # type: ignore[index]
        "value"
    ].items()
    workflow[name] = [7, 9, 11]
    assert [7, 9, 11] == workflow.plan().parts[0].data[0][0]["items"]
    again = loaded(generated("integer_generator_arithmetic_sequence"))
    assert "Generator: count should be a whole number" in str(refused(again, name, {"count": "many"}))


def test_settings_of_a_generator_can_be_swept() -> None:
    """Each takes a batch of its own, since it gives other values, or another number of them."""
    workflow = loaded(generated("integer_generator_arithmetic_sequence", start=5)).with_(Model="Dreamer")
    plan = workflow.plan({"Generator": [{"count": 2}, {"count": 3}], "CFG": [1, 2]})
    assert [(4, {"count": 2}), (6, {"count": 3})] == [
        (part.jobs, {"count": part.shared["Generator"]["count"]}) for part in plan.parts
    ]


def test_the_server_is_asked_for_what_only_it_can_say() -> None:
    """With the settings that are set now, each time that the workflow is planned."""
    asked: list[Any] = []

    def ask(workflow: Any) -> dict[str, list[Any]]:
        (question,) = questions(workflow)
        asked.append(json.loads(question)["board_id"])
        return {question: [{"image_name": "a.png"}, {"image_name": "b.png"}]}

    source = drawn()
    board = {"type": "image_generator_images_from_board"}
    source["nodes"] += [editor.node("g", "image_generator", generator=board), editor.node("b", "image_batch")]
    source["edges"] += [editor.edge("g.images -> b.images"), editor.edge("b.image -> n4.image")]
    workflow = Workflow(source, SCHEMAS, models=MODELS, boards=BOARDS, ask=ask).with_(Model="Dreamer")
    workflow["image_generator.generator"] = {"board_id": "Foxes"}
    assert (2, ["b1"]) == (workflow.plan().jobs, asked)
    error = refused(loaded(source), "image_generator.generator", {"board_id": "Owls"})
    assert "this server has no board 'Owls'" in str(error)


def test_values_of_an_image_batch_are_uploaded_or_named() -> None:
    """As those of an image field are."""
    source = drawn()
    source["nodes"].append(editor.node("b", "image_batch", "Pictures", images=[], batch_group_id="None"))
    source["edges"].append(editor.edge("b.image -> n4.image"))
    workflow = loaded(source).with_({"Model": "Dreamer", "Pictures.images": ["a.png", b"png"]})
    plan = workflow.plan()
    (upload,) = plan.uploads
    upload["image_name"] = "up.png"
    assert [{"image_name": "a.png"}, {"image_name": "up.png"}] == plan.parts[0].data[0][0]["items"]


def calling(**call: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a workflow that calls another, of whose fields its own form shows one."""
    library = drawn()
    library["nodes"][3]["data"]["inputs"]["steps"]["label"] = "How many"
    inputs = {"workflow_id": "w", "saved_workflow_input::n4::steps": 4, **call}
    exposed = [{"nodeId": "call", "fieldName": "saved_workflow_input::n4::steps"}]
    source = editor.workflow([editor.node("call", "call_saved_workflow", "Call", **inputs)], exposedFields=exposed)
    return with_called(source, {"w": library}), {"w": library}


def test_fields_of_a_called_workflow_are_told_and_checked() -> None:
    """By their labels there, with the type and bounds there; they are sent as arguments."""
    source, library = calling()
    workflow = Workflow(source, SCHEMAS, models=MODELS, boards=BOARDS, called=library)
    names = list(workflow)
    assert ("How many", {"Call.Model", "Call.CFG", "Call.Seed", "Call.Positive: Prompt", "Call.Negative: Prompt"}) == (
        names[0],
        {name for name in names if name.startswith("Call.") and "workflow" not in name},
    )
    assert "How many: should be above 0" in str(refused(workflow, "How many", 0))
    assert "Call.workflow_id: is chosen in InvokeAI's editor" in str(refused(workflow, "Call.workflow_id", "v"))
    workflow["Call.Model"] = "Dreamer"
    workflow["How many"] = 6
    plan = workflow.plan({"Call.CFG": [1, 2]})
    assert [1, 1] == [part.jobs for part in plan.parts]  # a server varies the fields of its own nodes alone
    arguments = workflow.to_graph()["nodes"]["call"]["workflow_inputs"]
    assert (KEYS, 6) == (arguments["saved_workflow_input::n1::model"], arguments["saved_workflow_input::n4::steps"])


@pytest.mark.parametrize(
    ("workflow_id", "words"),
    [("", "no saved workflow is chosen"), ("x", "this server's library has no workflow 'x'")],
)
def test_a_call_of_no_workflow_is_a_problem(workflow_id: str, words: str) -> None:
    """It is said before anything is sent."""
    source, library = calling()
    source["nodes"][0]["data"]["inputs"]["workflow_id"]["value"] = workflow_id
    problems = Workflow(source, SCHEMAS, called=library).problems
    assert f"Call.workflow_id: {words}." in problems


# -- sources ---------------------------------------------------------------------------------------------------------


def test_sources_are_files_pictures_and_json(tmp_path: Path) -> None:
    """A path, a text of JSON, a mapping, a PNG or PIL image that carries one; a name is left to the server."""
    workflow = drawn()
    path = tmp_path / "fox.json"
    path.write_text(json.dumps(workflow), "utf-8-sig")
    picture = Image.new("RGB", (8, 8))
    chunks = PngInfo()
    chunks.add_text("invokeai_workflow", json.dumps(workflow))
    picture.save(tmp_path / "fox.png", pnginfo=chunks)
    with Image.open(tmp_path / "fox.png") as opened:
        sources = [path, str(path), json.dumps(workflow), {"workflow": workflow}, tmp_path / "fox.png", opened]
        assert [workflow] * 6 == [read_source(source) for source in sources]
    assert "Fox in snow" == read_source("Fox in snow")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("missing.json", "there is no file 'missing.json'"),
        (5, "should be a path, a workflow, a graph, a picture or a name, got int"),
        ({"edges": []}, "has no 'nodes'"),
        ("{not json", "is not JSON"),
        (Image.new("RGB", (8, 8)), "has no workflow in it"),
        (Path("tests"), "there is no file 'tests'"),
    ],
)
def test_sources_without_a_workflow_are_refused(source: Any, words: str) -> None:
    """In words."""
    with pytest.raises(InvalidRequest) as caught:
        read_source(source)
    assert words in str(caught.value)


def test_fields_without_a_server_are_those_with_values() -> None:
    """`fields(workflow)` needs no server; it knows no kinds then."""
    names = [one.name for one in fields(editor.sums())]
    assert ["B", "First Sum.a", "First Sum.b"] == names
