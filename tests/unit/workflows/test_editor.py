"""Workflows as graphs with named fields, and checks of graphs and data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as some

from invoke_widgets import workflows
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.workflows.generators import changed, values_of
from tests.support import editor
from tests.support.graphs import Graph


def sent(node_type: str, node_id: str, **fields: Any) -> Graph:
    return {"id": node_id, "type": node_type, "use_cache": False, "is_intermediate": True, **fields}


def test_a_workflow_becomes_a_graph() -> None:
    """Notes and closed lines are left out, connectors followed, and a wired input gives up its value."""
    drawn = editor.sums()
    drawn["nodes"][-1]["data"]["inputs"]["a"]["value"] = "no number"
    assert {
        "nodes": {"n1": sent("add", "n1", a=1, b=2), "n2": sent("add", "n2", b=10)},
        "edges": [
            {"source": {"node_id": "n1", "field": "value"}, "destination": {"node_id": "n2", "field": "a"}},
        ],
    } == workflows.graph_of(drawn)


def test_dangling_edges_are_left_out() -> None:
    """A connector without a source, two that feed each other, and a line to a node that is gone."""
    drawn = editor.workflow(
        [editor.node("n", "add", a=1), *map(editor.connector, ("open", "this", "that"))],
        "open.out -> n.a",
        "this.out -> that.in",
        "that.out -> this.in",
        "that.out -> n.b",
        "gone.value -> n.a",
        "n.value -> gone.a",
    )
    assert {"nodes": {"n": sent("add", "n", a=1)}, "edges": []} == workflows.graph_of(drawn)


@pytest.mark.parametrize(("board", "kept"), [("auto", {}), ("none", {}), ({"board_id": "b"}, {"board_id": "b"})])
def test_a_board_auto_or_none_is_left_out(board: object, kept: object) -> None:
    """The editor keeps words where the server takes a board or nothing."""
    drawn = editor.workflow([editor.node("n", "blank_image", board=board)])
    assert (kept or None) == workflows.graph_of(drawn)["nodes"]["n"].get("board")


def test_null_is_left_out() -> None:
    """As by the editor: servers take no null in most fields, and have a default for each that is open."""
    drawn = editor.workflow([editor.node("n", "blank_image", board=None, width=None, height=64)])
    assert {"n": sent("blank_image", "n", height=64)} == workflows.graph_of(drawn)["nodes"]


def test_form_elements_come_in_order_and_once() -> None:
    """Through its containers, without what is missing or within itself; each with the heading before it."""

    def shown(node_id: str, field: str) -> dict[str, Any]:
        place = {"nodeId": node_id, "fieldName": field}
        return {"type": "node-field", "data": {"fieldIdentifier": place}}

    drawn = editor.sums()
    drawn["form"] = {
        "rootElementId": "root",
        "elements": {
            "root": {"type": "container", "data": {"children": ["title", "row", "last", "row", "gone", 5]}},
            "title": {"type": "heading", "data": {"content": "First"}},
            "row": {"type": "container", "data": {"layout": "row", "children": ["first", "root"]}},
            "first": shown("n1", "b"),
            "last": shown("n1", "a"),
        },
    }
    form = workflows.form_of(drawn)
    assert ["heading", "container", "node-field"] == [element["type"] for element in form]
    assert [("n1", "b", "First"), ("n1", "a", "First")] == list(workflows.form_fields(form))


def test_nodes_are_found_by_label_type_and_id() -> None:
    """Any unique name can be used in `data`."""
    drawn = editor.workflow([editor.node("n1", "add", "Sum"), editor.node("n2", "mul"), editor.node("n3", "add")])
    data = [[{"node_path": name, "field_name": "a", "items": [1]} for name in ("Sum", "mul", "n3")]]
    assert ["n1", "n2", "n3"] == [entry["node_path"] for entry in workflows.with_ids(drawn, data)[0]]


@pytest.mark.parametrize(
    ("name", "words"),
    [("add", "data.add.a: 2 nodes of the workflow have the type 'add': n1, n3."), ("Sun", "Did you mean 'Sum'?")],
)
def test_ambiguous_and_unknown_node_names_are_refused(name: str, words: str) -> None:
    """Several of a type, or a misspelt label."""
    drawn = editor.workflow([editor.node("n1", "add", "Sum"), editor.node("n3", "add")])
    with pytest.raises(InvalidRequest) as caught:
        workflows.with_ids(drawn, [[{"node_path": name, "field_name": "a", "items": [1]}]])
    assert words in str(caught.value)


def test_batch_nodes_become_values() -> None:
    """Those of one group are zipped, others multiplied, and the nodes themselves are not sent.

    What they feed keeps its own value in the graph, as the editor sends it.
    """
    drawn = editor.workflow(
        [
            editor.node("x", "integer_batch", integers=[1, 2], batch_group_id="Group 1"),
            editor.node("y", "integer_batch", integers=[3, 4], batch_group_id="Group 1"),
            editor.node("z", "float_batch", floats=[0.5], batch_group_id="None"),
            editor.node("n", "add", a=0, b=0),
            editor.node("f", "float_math", a=0.0),
        ],
        "x.value -> n.a",
        "y.value -> n.b",
        "z.value -> f.a",
    )
    assert (
        [
            [
                {"node_path": "n", "field_name": "a", "items": [1, 2]},
                {"node_path": "n", "field_name": "b", "items": [3, 4]},
            ],
            [{"node_path": "f", "field_name": "a", "items": [0.5]}],
        ],
        {"nodes": {"n": sent("add", "n", a=0, b=0), "f": sent("float_math", "f", a=0.0)}, "edges": []},
    ) == (workflows.own_data(drawn), workflows.graph_of(drawn))


@pytest.mark.parametrize(
    ("values", "edges", "words"),
    [([], [], "the batch node has no values"), ([1], ["g.integers -> x.integers"], "its values come from a generator")],
)
def test_batch_nodes_without_values_are_refused(values: list[int], edges: list[str], words: str) -> None:
    """A generator is run by the editor alone; the error names the node's field."""
    nodes = [editor.node("x", "integer_batch", integers=values), editor.node("g", "integer_generator")]
    with pytest.raises(InvalidRequest) as caught:
        workflows.own_data(editor.workflow(nodes, *edges))
    assert "nodes.integer_batch.integers" == caught.value.field
    assert caught.value.message.startswith(f"{caught.value.field}: {words}")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"nodes": [5]}, "nodes[0].id"),
        ({"nodes": [{"id": "a", "type": "invocation"}]}, "nodes[0].data.type"),
        ({"nodes": [], "edges": {}}, "graph.edges"),
    ],
)
def test_a_malformed_workflow_is_refused(broken: dict[str, Any], words: str) -> None:
    """With the place that is wrong."""
    assert workflows.is_workflow(broken)
    with pytest.raises(InvalidRequest) as caught:
        workflows.graph_of(broken)
    assert words in str(caught.value)


_SUM = {"sum": {"type": "add"}}
_EDGE = {"source": {"node_id": "sun", "field": "v"}, "destination": {"node_id": "sum", "field": "a"}}


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (5, "graph: should be a mapping"),
        ({}, "graph.nodes: should be a mapping"),
        ({"nodes": [{"id": "a"}]}, "graph.nodes: should be a mapping"),
        ({"graph": {"nodes": {}}}, "graph.nodes: should be a mapping of node ids to nodes. Pass its 'graph' entry"),
        ({"nodes": {"": {"type": "add"}}}, "graph.nodes: the id '' should be"),
        ({"nodes": {"a": {}}}, "nodes.a.type: should be"),
        ({"nodes": {"a": {"type": "add", "id": "b"}}}, "nodes.a.id: should be 'a', its key"),
        ({"nodes": {"a": {"type": "add"}}, "edges": {}}, "graph.edges: should be a list"),
        ({"nodes": {"a": {"type": "add"}}, "edges": [{}]}, "edges[0].source: should be"),
        ({"nodes": _SUM, "edges": [_EDGE]}, "edges[0].source.node_id: there is no node 'sun'. Did you mean 'sum'?"),
    ],
)
def test_normal_graph_refuses_a_bad_graph_with_its_place(graph: object, words: str) -> None:
    """The message begins with the place, which is the exception's field, so that no caller parses the message."""
    with pytest.raises(InvalidRequest) as caught:
        workflows.normal_graph(graph)
    assert str(caught.value).startswith(words)
    assert words.partition(": ")[0] == caught.value.field


def test_normal_graph_adds_the_ids_in_a_copy() -> None:
    """Ids come from the keys; what was given stays as it is."""
    given = {"nodes": {"sum": {"type": "add"}}}
    assert {"nodes": {"sum": {"type": "add", "id": "sum"}}, "edges": []} == workflows.normal_graph(given)
    assert {"nodes": {"sum": {"type": "add"}}} == given


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (5, "data: should be {'node.field': [values]}"),
        ("sum.a", "data: should be {'node.field': [values]}"),
        ([5], "data[0]: should be a mapping"),
        ([[{"node_path": "sum"}]], "data[0]: each entry needs"),
        ({"sum": [1]}, "data: the key 'sum' should be 'node.field'"),
        ({"sum.a": 5}, "data.sum.a: should be a list of values, got 5"),
        ({"sum.a": "12"}, "data.sum.a: should be a list of values, got '12'"),
        ({"sum.a": []}, "data.sum.a: has no values"),
        ({"sum.a": numpy.zeros((2, 3))}, "data.sum.a: should be a list of values, got an array of 2 dimensions."),
        ({"sum.a": numpy.array(1)}, "data.sum.a: should be a list of values, got an array of 0 dimensions."),
        ({"sum.a": [1], "sum.b": [1, 2]}, "data[0]: zipped lists should be equally long; sum.a has 1, sum.b has 2"),
    ],
)
def test_normal_data_refuses_bad_data_with_its_place(data: object, words: str) -> None:
    """The message begins with the place, which is the exception's field, so that no caller parses the message."""
    with pytest.raises(InvalidRequest) as caught:
        workflows.normal_data(data)
    assert str(caught.value).startswith(words)
    assert words.partition(": ")[0] == caught.value.field


def test_normal_data_makes_the_servers_form_of_all_forms() -> None:
    """A mapping is one zipped group, a list of them a product, and the server's own form stays as it is."""
    one = {"node_path": "sum", "field_name": "a", "items": [1, 2]}
    two = {"node_path": "sum", "field_name": "b", "items": [3, 4]}
    assert [[one, two]] == workflows.normal_data({"sum.a": [1, 2], "sum.b": (3, 4)})
    assert [[one], [two]] == workflows.normal_data([{"sum.a": [1, 2]}, {"sum.b": range(3, 5)}])
    assert [[one, two]] == workflows.normal_data([[one, two]])
    assert [[]] * 4 == [workflows.normal_data(nothing) for nothing in (None, {}, [], [{}])]
    assert [[one]] == workflows.normal_data([{}, {"sum.a": [1, 2]}])


def test_normal_data_makes_numpy_values_plain() -> None:
    """Values of NumPy and pandas can be sent."""
    items = workflows.normal_data({"sum.a": numpy.array([1, 2])})[0][0]["items"]
    assert [(1, int), (2, int)] == [(value, type(value)) for value in items]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("\ud83d", "holds half of a character at position 0"),
        (["fine", "a\udc00"], "holds half of a character at position 1"),
        ({"k\ud800": 1}, "holds half of a character"),
        (float("nan"), "should be a finite number, got nan"),
        ({"x": [float("inf")]}, "should be a finite number, got inf"),
        (nested(100_000), "is nested more than 100 deep"),
        (object(), "cannot be sent: object has no form in JSON"),
        (b"x", "cannot be sent: bytes has no form in JSON"),
    ],
)
def test_values_that_no_server_can_take_are_refused_by_their_field(value: Any, words: str) -> None:
    """Before anything is sent, in a graph and among a batch's values."""
    with pytest.raises(InvalidRequest, match=rf"nodes\.a\.value: {re.escape(words)}") as caught:
        workflows.normal_graph({"nodes": {"a": {"type": "string", "value": value}}, "edges": []})
    assert "nodes.a.value" == caught.value.field
    with pytest.raises(InvalidRequest, match=rf"data\.a\.value\[1\]: {re.escape(words)}") as caught:
        workflows.normal_data({"a.value": ["x", value]})
    assert "data.a.value[1]" == caught.value.field


def test_color_cannot_be_varied() -> None:
    """The server would answer with a page of its own types; an image can be varied."""
    color = {"r": 1, "g": 2, "b": 3, "a": 255}
    with pytest.raises(InvalidRequest, match=r"data\.a\.color\[0\]: should be a text, a number or an image"):
        workflows.normal_data({"a.color": [color]})
    image = {"image_name": "x.png"}
    assert [image] == workflows.normal_data({"a.image": [image]})[0][0]["items"]


def test_a_picture_in_a_graph_is_sent_by_its_name() -> None:
    """As in a workflow: in a node, and among a batch's values."""
    picture = SimpleNamespace(image_name="x.png")
    graph = {"nodes": {"a": {"type": "img_blur", "image": picture, "images": [picture]}}, "edges": []}
    named = {"image_name": "x.png"}
    sent = workflows.normal_graph(graph)["nodes"]["a"]
    assert {"type": "img_blur", "id": "a", "image": named, "images": [named]} == sent
    assert [named] == workflows.normal_data({"a.image": [picture]})[0][0]["items"]


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        ("flow.json", "console.workflow(...) loads a file"),
        (Path("flow.json"), "console.workflow(...) loads a file"),
        (workflows.Workflow(editor.sums(), workflows.NodeSchemas({})), "Its own submit() enqueues it"),
    ],
)
def test_what_is_no_graph_is_refused_with_what_to_do_with_it(graph: Any, words: str) -> None:
    """Not with an example of a graph, where it is the file of one, or a workflow with fields by name."""
    with pytest.raises(InvalidRequest, match=r"graph: .*, got \w+\.") as caught:
        workflows.normal_graph(graph)
    assert caught.value.suggestion.startswith(words)


@pytest.mark.parametrize("nodes", [{}, {"\ud800": {"type": "add"}}])
def test_graph_without_nodes_or_with_an_unfit_id_is_refused(nodes: dict[str, Any]) -> None:
    """An empty job would be enqueued, and an id that is no text would wedge the queue."""
    with pytest.raises(InvalidRequest, match=r"graph\.nodes: ") as caught:
        workflows.normal_graph({"nodes": nodes, "edges": []})
    assert "graph.nodes" == caught.value.field


def test_numpy_values_of_a_graph_become_plain() -> None:
    """Scalars and arrays, as they come out of a frame."""
    graph = {"nodes": {"a": {"type": "add", "a": numpy.int64(3), "list": numpy.array([1.5, 2.5])}}, "edges": []}
    node = workflows.normal_graph(graph)["nodes"]["a"]
    assert (int, [1.5, 2.5]) == (type(node["a"]), node["list"])


def generated(kind: str, **settings: Any) -> list[Any]:
    """Return the values that a generator gives a batch node, behind a connector."""
    family = kind.partition("_generator")[0]
    field = f"{family}s"
    nodes = [
        editor.node("x", "value"),
        editor.node("batch", f"{family}_batch", **{field: [], "batch_group_id": "None"}),
        editor.connector("c"),
        editor.node("g", f"{family}_generator", generator={"type": kind, **settings}),
    ]
    drawn = editor.workflow(nodes, f"g.{field} -> c.in", f"c.out -> batch.{field}", "batch.value -> x.value")
    return list(workflows.own_data(drawn)[0][0]["items"])


@pytest.mark.parametrize(
    ("kind", "settings", "values"),
    [
        ("integer_generator_arithmetic_sequence", {"start": 100, "step": 10, "count": 4}, [100, 110, 120, 130]),
        ("integer_generator_arithmetic_sequence", {"start": 7, "step": 0, "count": 4}, [7]),
        ("float_generator_arithmetic_sequence", {"start": 0, "step": 0.5, "count": 3}, [0, 0.5, 1]),
        ("float_generator_linear_distribution", {"start": 1, "end": 3, "count": 3}, [1, 2, 3]),
        ("float_generator_linear_distribution", {"start": 1, "end": 3, "count": 1}, [1]),
        ("integer_generator_linear_distribution", {"start": 0, "end": 5, "count": 3}, [0, 3, 5]),
        ("integer_generator_parse_string", {"input": "1, 2.9,x, 3px,", "splitOn": ","}, [1, 2, 3]),
        ("float_generator_parse_string", {"input": "1;.5;2e3;-", "splitOn": ";"}, [1, 0.5, 2000]),
        ("string_generator_parse_string", {"input": "a cat\na dog\n", "splitOn": "\\n"}, ["a cat", "a dog"]),
        ("string_generator_parse_string", {"input": "a,b", "splitOn": ""}, ["a,b"]),
        ("float_generator_parse_string", {"input": "1", "values": [4, 2.5]}, [4, 2.5]),
        ("float_generator_arithmetic_sequence", {}, [i * 0.1 for i in range(10)]),
    ],
)
def test_generators_give_what_the_editor_gives(kind: str, settings: dict[str, Any], values: list[Any]) -> None:
    """The editor's formulas, its rounding, and how it reads numbers out of text."""
    assert values == generated(kind, **settings)


def test_seeded_random_is_the_editors() -> None:
    """The numbers of its Mersenne Twister for the seed 5489: 3499211612, 581869302, 3890346734."""
    expected = [3499211612 / 2**32, 581869302 / 2**32, 3890346734 / 2**32]
    kind = "float_generator_random_distribution_uniform"
    assert expected == generated(kind, min=0, max=1, count=3, seed=5489)
    whole = generated("integer_generator_random_distribution_uniform", min=1, max=6, count=3, seed=5489)
    assert [int(number * 6) + 1 for number in expected] == whole


def test_values_of_a_template_or_board_are_the_servers_to_say() -> None:
    """What it is asked has the editor's defaults; without an answer they are unknown, and an empty one is no value."""
    board = {"type": "image_generator_images_from_board", "board_id": "b"}
    nodes = [
        editor.node("x", "img_hue_adjust"),
        editor.node("batch", "image_batch", images=[]),
        editor.node("g", "image_generator", generator=board),
        editor.node("unused", "string_generator", generator={"type": "string_generator_dynamic_prompts_random"}),
    ]
    drawn = editor.workflow(nodes, "g.images -> batch.images", "batch.image -> x.image")
    (asked,) = workflows.questions(drawn)
    assert {**board, "category": "images"} == json.loads(asked)
    images = [{"image_name": "a.png"}]
    assert images == workflows.own_data(drawn, {asked: images})[0][0]["items"]
    for answers, words in (({}, "only a server can evaluate"), ({asked: []}, "the batch node has no values")):
        with pytest.raises(InvalidRequest, match=words):
            workflows.own_data(drawn, answers)


def test_nodes_without_a_group_come_where_the_first_of_them_is() -> None:
    """The editor's order, in which the last value varies fastest."""
    nodes = [
        *(
            editor.node(name, "integer_batch", integers=[1], batch_group_id=group)
            for name, group in (("a", "Group 1"), ("b", "None"), ("c", "Group 2"), ("d", "None"), ("e", "Group 1"))
        ),
        *(editor.node(f"to_{name}", "add") for name in "abcde"),
    ]
    data = workflows.own_data(editor.workflow(nodes, *(f"{name}.value -> to_{name}.a" for name in "abcde")))
    assert [["to_a", "to_e"], ["to_b"], ["to_d"], ["to_c"]] == [[entry["node_path"] for entry in g] for g in data]


# -- calls of saved workflows ----------------------------------------------------------------------------------------


def _calling() -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """A workflow that calls "A sum", one of whose fields an edge feeds, and the library that has it."""
    call = editor.node("call", "call_saved_workflow", "Call", workflow_id="w", workflow_inputs={"old": 1})
    argument = "saved_workflow_input::n2::b"
    drawn = editor.workflow([editor.node("n", "add", a=1, b=2), call], {**editor.edge("n.value -> call.x")})
    drawn["edges"][0]["targetHandle"] = argument
    return drawn, {"w": editor.workflow(editor.sums()["nodes"], exposedFields=_EXPOSED)}


_EXPOSED = [{"nodeId": "n2", "fieldName": "b"}, {"nodeId": "n1", "fieldName": "a"}]


def test_a_called_workflows_fields_are_arguments() -> None:
    """They get the values that they have there, and are sent as the editor does; one with an edge has no value."""
    drawn, library = _calling()
    assert {"w"} == workflows.called_ids(drawn)
    loaded = workflows.with_called(drawn, library)
    graph = workflows.graph_of(loaded)
    assert {"saved_workflow_input::n1::a": 1} == graph["nodes"]["call"]["workflow_inputs"]
    assert "saved_workflow_input::n2::b" == graph["edges"][0]["destination"]["field"]
    kept = loaded["nodes"][1]["data"]["inputs"]
    kept["saved_workflow_input::n1::a"]["value"] = 7
    again = workflows.with_called(loaded, library)
    assert 7 == workflows.graph_of(again)["nodes"]["call"]["workflow_inputs"]["saved_workflow_input::n1::a"]


def test_an_argument_that_the_called_workflow_no_longer_has_is_left_out() -> None:
    """With its edge; but of a workflow that is gone, all are kept."""
    drawn, library = _calling()
    library["w"]["exposedFields"] = _EXPOSED[1:]
    loaded = workflows.with_called(drawn, library)
    graph = workflows.graph_of(loaded)
    assert ([], {"saved_workflow_input::n1::a": 1}) == (graph["edges"], graph["nodes"]["call"]["workflow_inputs"])
    assert 1 == len(workflows.graph_of(workflows.with_called(drawn, {}))["edges"])


# -- any graph -------------------------------------------------------------------------------------------------------

_WORDS = some.text("ab-_ é", min_size=1, max_size=4)
_JSON = some.integers() | some.text(max_size=3) | some.lists(some.integers(), max_size=2)


@some.composite
def _graphs(draw: some.DrawFn) -> dict[str, Any]:
    """Nodes of any types, ids and fields, with edges from earlier ones."""
    ids = draw(some.lists(_WORDS, min_size=1, max_size=5, unique=True))
    nodes = {
        node_id: {
            "id": node_id,
            "type": draw(some.sampled_from(["add", "collect", "from a pack"])),
            "use_cache": draw(some.booleans()),
            "is_intermediate": draw(some.booleans()),
            **draw(some.dictionaries(some.sampled_from("abc"), _JSON, max_size=3)),
        }
        for node_id in ids
    }
    edges: list[dict[str, Any]] = []
    for index, target in enumerate(ids):
        for source in draw(some.lists(some.sampled_from(ids[:index]), max_size=2)) if index else ():
            into = draw(some.sampled_from("abc"))
            nodes[target].pop(into, None)
            ends = {"source": {"node_id": source, "field": "out"}, "destination": {"node_id": target, "field": into}}
            edges += [ends] if ends not in edges else []
    return {"nodes": nodes, "edges": edges}


@given(_graphs(), some.randoms(use_true_random=False))
def test_a_graph_that_is_drawn_is_the_graph_again(graph: dict[str, Any], random: Random) -> None:
    """Through any number of connectors, beside notes, and whatever is left in an input that an edge feeds."""
    nodes, edges = [], []
    fed = {(edge["destination"]["node_id"], edge["destination"]["field"]) for edge in graph["edges"]}
    for node_id, node in graph["nodes"].items():
        own = {name: value for name, value in node.items() if name in "abc"}
        left = {field: "left" for place, field in fed if place == node_id and random.random() < 0.5}
        drawn = editor.node(node_id, node["type"], **own, **left)
        drawn["data"] |= {"useCache": node["use_cache"], "isIntermediate": node["is_intermediate"]}
        nodes += [drawn, editor.note(f"note on {node_id}")]
    for number, edge in enumerate(graph["edges"]):
        source, handle = edge["source"]["node_id"], edge["source"]["field"]
        for step in range(random.randrange(3)):
            connector = f"connector {number}.{step}"
            nodes.append(editor.connector(connector))
            edges.append(_line(source, handle, connector, "in"))
            source, handle = connector, "out"
        edges.append(_line(source, handle, edge["destination"]["node_id"], edge["destination"]["field"]))
    drawn_edges = [*edges, {"id": "collapsed", "type": "collapsed", "source": "x", "target": "y"}]
    assert graph == workflows.graph_of(editor.workflow(nodes, *drawn_edges))


def _line(source: str, out: str, target: str, into: str) -> dict[str, Any]:
    ends = {"source": source, "sourceHandle": out, "target": target, "targetHandle": into}
    return {"id": json.dumps(ends), "type": "default", **ends}


# -- settings of generators ------------------------------------------------------------------------------------------

_DICE = {"type": "integer_generator_random_distribution_uniform", "min": 1, "max": 6, "count": 3, "seed": 5}


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ({"count": 2}, {**_DICE, "count": 2}),
        ({"seed": None}, {**_DICE, "seed": None}),
        (
            {"type": "integer_generator_linear_distribution", "end": 9},
            {"type": "integer_generator_linear_distribution", "start": 0, "end": 9, "count": 3},
        ),
        ([4, 2], {"type": "integer_generator_parse_string", "input": "4,2", "splitOn": ","}),
        (range(2), {"type": "integer_generator_parse_string", "input": "0,1", "splitOn": ","}),
        (numpy.array([7]), {"type": "integer_generator_parse_string", "input": "7", "splitOn": ","}),
    ],
)
def test_a_generators_settings_are_changed(given: Any, settings: dict[str, Any]) -> None:
    """Those that are given, or so that it makes the values that are given; another kind begins with its defaults."""
    assert settings == changed("Dice", "integer_generator", _DICE, given)


@pytest.mark.parametrize(
    ("family", "given", "words"),
    [
        ("integer_generator", {"cont": 2}, "no setting 'cont'. Did you mean 'count'?"),
        ("integer_generator", {"type": "integer_generator_sequence"}, "no generator of the kind"),
        ("integer_generator", {"count": 0}, "count should be a whole number from 1"),
        ("integer_generator", {"min": 1.5}, "min should be a whole number, got 1.5"),
        ("integer_generator", {"seed": "x"}, "seed should be a whole number, or None"),
        ("integer_generator", 5, "should be a generator's settings"),
        ("integer_generator", [1.5], "should be whole numbers, got [1.5]"),
        ("integer_generator", [], "should be whole numbers"),
        ("float_generator", ["x"], "should be numbers"),
        ("string_generator", ["a", ""], "should be texts, none empty"),
        ("string_generator", [",\n|\t\x1f"], "cannot be made by a generator"),
        ("image_generator", ["a.png"], "gives the images of a board"),
        ("image_generator", {"type": "image_generator_images_from_board", "category": "all"}, "'images' or 'assets'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(family: str, given: Any, words: str) -> None:
    """By the field's name, with what would fit."""
    with pytest.raises(InvalidRequest, match=f"^Dice: .*{re.escape(words)}") as caught:
        changed("Dice", family, _DICE if family.startswith("integer") else {}, given)
    assert "Dice" == caught.value.field


@given(some.lists(some.text(min_size=1, max_size=5), min_size=1, max_size=4))
def test_a_generator_makes_the_texts_that_it_is_given(texts: list[str]) -> None:
    """Whatever separators are in them, or it says that it cannot."""
    try:
        made = changed("Words", "string_generator", {}, texts)
    except InvalidRequest:
        return
    assert texts == values_of(made, "", {})
