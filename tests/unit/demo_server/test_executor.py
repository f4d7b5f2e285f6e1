"""The demo server's executor: the expansion of a graph, the order of execution, and the results."""

from __future__ import annotations

from typing import Any, cast

import pytest
from pydantic import ValidationError

from invoke_widgets.demo_server.executor import Executor, NodeInputError
from invoke_widgets.demo_server.nodes import NodeContext
from invoke_widgets.demo_server.session import GraphExecutionState
from tests.support.graphs import graph

_NO_CONTEXT = cast(NodeContext, None)


def _session(nodes: dict[str, dict[str, Any]], *edges: str) -> GraphExecutionState:
    """A session of nodes and edges, the latter as `"from.field to.field"`."""
    made = graph(nodes, *(edge.replace(" ", " -> ") for edge in edges))
    return GraphExecutionState.model_validate({"graph": made})


def _run(state: GraphExecutionState) -> list[tuple[str, tuple[int, ...], Any]]:
    """Run a session; each node's source id, iteration and first output, in the order of the runs."""
    executor = Executor(state)
    done = []
    while (node := executor.next()) is not None:
        output = node.invoke(_NO_CONTEXT)
        executor.complete(node.id, output)
        value = next(v for name, v in output.model_dump().items() if name not in ("output_meta", "type"))
        done.append((state.prepared_source_mapping[node.id], state.prepared_iteration_paths[node.id], value))
    assert state.is_complete()
    return done


def _of(done: list[tuple[str, tuple[int, ...], Any]], source: str) -> dict[tuple[int, ...], Any]:
    return {path: value for node_id, path, value in done if node_id == source}


def test_result_follows_its_edge() -> None:
    """The output of a node is the input of the next."""
    done = _run(_session({"a": {"type": "add", "a": 1, "b": 2}, "m": {"type": "mul", "b": 10}}, "a.value m.a"))
    assert [("a", (), 3), ("m", (), 30)] == done


def test_iterate_and_collect() -> None:
    """Downstream nodes run once per item; the collector gathers their results in order."""
    done = _run(
        _session(
            {
                "r": {"type": "range", "stop": 4},
                "i": {"type": "iterate"},
                "m": {"type": "mul", "b": 3},
                "c": {"type": "collect"},
            },
            "r.collection i.collection",
            "i.item m.a",
            "m.value c.item",
        )
    )
    assert {(0,): 0, (1,): 3, (2,): 6, (3,): 9} == _of(done, "m")
    assert ("c", (), [0, 3, 6, 9]) == done[-1]


def test_outside_value_enters_each_iteration() -> None:
    """A node outside the loop feeds every iteration."""
    done = _run(
        _session(
            {
                "r": {"type": "range", "stop": 2},
                "i": {"type": "iterate"},
                "k": {"type": "integer", "value": 9},
                "a": {"type": "add"},
            },
            "r.collection i.collection",
            "i.item a.a",
            "k.value a.b",
        )
    )
    assert {(0,): 9, (1,): 10} == _of(done, "a")


def test_nested_iterations() -> None:
    """Each iteration of the outer loop has its own inner iterations and its own collector."""
    done = _run(
        _session(
            {
                "r": {"type": "range", "stop": 2},
                "outer": {"type": "iterate"},
                "size": {"type": "add", "b": 1},
                "inner_range": {"type": "range"},
                "inner": {"type": "iterate"},
                "m": {"type": "mul"},
                "c": {"type": "collect"},
            },
            "r.collection outer.collection",
            "outer.item size.a",
            "size.value inner_range.stop",
            "inner_range.collection inner.collection",
            "inner.item m.a",
            "size.value m.b",
            "m.value c.item",
        )
    )
    assert {(0, 0): 0, (1, 0): 0, (1, 1): 2} == _of(done, "m")
    assert {(0,): [0], (1,): [0, 2]} == _of(done, "c")


def test_independent_iterators_produce_their_product() -> None:
    """A node below two unrelated iterators runs for each pair of items."""
    done = _run(
        _session(
            {
                "r": {"type": "range", "stop": 2},
                "s": {"type": "range", "start": 10, "stop": 12},
                "i": {"type": "iterate"},
                "j": {"type": "iterate"},
                "a": {"type": "add"},
            },
            "r.collection i.collection",
            "s.collection j.collection",
            "i.item a.a",
            "j.item a.b",
        )
    )
    assert {(0, 0): 10, (0, 1): 11, (1, 0): 11, (1, 1): 12} == _of(done, "a")


def test_empty_collection_runs_only_the_collector() -> None:
    """Nodes between an empty iterator and its collector count as executed without running."""
    state = _session(
        {
            "x": {"type": "range", "step": -1},
            "i": {"type": "iterate"},
            "a": {"type": "add"},
            "c": {"type": "collect"},
        },
        "x.collection i.collection",
        "i.item a.a",
        "a.value c.item",
    )
    assert [("x", (), []), ("c", (), [])] == _run(state)
    assert {"x", "i", "a", "c"} <= state.executed


def test_ready_nodes_run_class_by_class() -> None:
    """All ready nodes of a class run before those of the next class."""
    done = _run(
        _session(
            {"m1": {"type": "mul"}, "a1": {"type": "add"}, "m2": {"type": "mul"}, "a2": {"type": "add"}},
            "m1.value a2.a",
        )
    )
    order = [node_id for node_id, _, _ in done]
    assert order.index("a1") < order.index("m1")
    assert order.index("m1") < order.index("a2")


def test_refused_value_names_the_input() -> None:
    """The error names the input that refused the value."""
    state = _session({"n": {"type": "integer", "value": -5}, "r": {"type": "range"}}, "n.value r.stop")
    executor = Executor(state)
    node = executor.next()
    assert node is not None
    executor.complete(node.id, node.invoke(_NO_CONTEXT))
    with pytest.raises(NodeInputError, match="has invalid incoming input for stop"):
        executor.next()


def test_thousand_iterations_stay_in_order() -> None:
    """Iterations are ordered by number, not as text."""
    done = _run(
        _session(
            {
                "r": {"type": "range", "stop": 1000},
                "i": {"type": "iterate"},
                "a": {"type": "add", "b": 1},
                "c": {"type": "collect"},
            },
            "r.collection i.collection",
            "i.item a.a",
            "a.value c.item",
        )
    )
    assert list(range(1, 1001)) == done[-1][2]


@pytest.mark.parametrize(
    ("nodes", "edges", "problem"),
    [
        ({"a": {"type": "add"}, "b": {"type": "add"}}, ["a.value b.a", "b.value a.a"], "Graph contains cycles"),
        ({"a": {"type": "string"}, "b": {"type": "add"}}, ["a.value b.a"], "types do not match"),
        ({"i": {"type": "iterate"}}, [], "Iterator must have a collection input edge"),
        ({"c": {"type": "collect"}}, [], "Collector must have at least one item or collection input edge"),
        (
            {"a": {"type": "integer"}, "s": {"type": "string"}, "c": {"type": "collect"}},
            ["a.value c.item", "s.value c.item"],
            "Collector input collection items must be of a single type",
        ),
    ],
)
def test_invalid_graph_is_refused(nodes: dict[str, dict[str, Any]], edges: list[str], problem: str) -> None:
    """Cycles, mismatched types and misused iterators and collectors are refused."""
    with pytest.raises(ValidationError, match=problem):
        _session(nodes, *edges)
