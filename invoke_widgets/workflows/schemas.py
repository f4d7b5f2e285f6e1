"""Checks of a graph and a batch's values against the server's own node schemas, before anything is sent.

They are needed because the server accepts a `data` value of a type that its field cannot hold, and then fails to load
the item once a second for ever; nothing behind it runs (6.0 to 6.14). It also drops unknown fields of a node silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fastjsonschema

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.workflows.graph import Data, near


class _NotFetchedError(Exception):
    """A schema refers to another document."""


def _refuse(uri: str) -> Any:
    raise _NotFetchedError(uri)


# Whoever controls the server could have this machine fetch any document, by a reference to it in a schema.
_NO_FETCHING = dict.fromkeys(("", "file", "ftp", "http", "https"), _refuse)


_NO_INTEGER = 2.0**63
"""From here on a server takes no whole number that is written as a float, although it fits the schema of an integer."""


class NodeSchemas:
    """The node types of a server.

    Args:
        openapi: the server's OpenAPI schema.
    """

    def __init__(self, openapi: Mapping[str, Any]) -> None:
        self._schemas: Mapping[str, Any] = openapi.get("components", {}).get("schemas", {})
        self._nodes: dict[str, Mapping[str, Any]] = {}
        for schema in self._schemas.values():
            if isinstance(schema, Mapping) and schema.get("class") == "invocation":
                name = schema.get("properties", {}).get("type", {}).get("const")
                if isinstance(name, str):
                    self._nodes[name] = schema

    def __len__(self) -> int:
        return len(self._nodes)

    def fields(self, node_type: str) -> Mapping[str, Any]:
        """Return the JSON schema of each field of a node type, by name.

        Raises:
            KeyError: the server has no such type.
        """
        properties: Mapping[str, Any] = self._nodes[node_type].get("properties", {})
        return properties

    def has(self, node_type: str) -> bool:
        """Return whether the server has a node type."""
        return node_type in self._nodes

    def title(self, node_type: str) -> str:
        """Return what the editor calls a node type; "" if the server does not have it."""
        return str(self._nodes.get(node_type, {}).get("title", ""))

    def inputs(self, node_type: str) -> Mapping[str, Any]:
        """Return the JSON schema of each input of a node type, by name; none if the server does not have the type."""
        properties = self._nodes.get(node_type, {}).get("properties", {})
        return {name: schema for name, schema in properties.items() if isinstance(schema, Mapping)}

    def check_value(self, place: str, node_type: str, field: str, value: Any) -> None:
        """Check one value of a field.

        Raises:
            InvalidRequest: it does not fit; the message begins with `place`.
        """
        self._check_values(place, self.fields(node_type)[field], [value], in_batch=False)

    def check_graph(self, graph: Mapping[str, Any]) -> None:
        """Check node types and field names.

        Raises:
            InvalidRequest: the server does not know one; `field` says which.
        """
        for node_id, node in graph["nodes"].items():
            schema = self._nodes.get(node["type"])
            if schema is None:
                raise InvalidRequest(
                    f"nodes.{node_id}.type: this server has no node type {node['type']!r}."
                    + near(node["type"], self._nodes),
                    suggestion="It may need a node pack, or another version of InvokeAI.",
                    field=f"nodes.{node_id}.type",
                )
            if schema.get("additionalProperties"):
                continue
            for name in node:
                if name not in schema.get("properties", {}):
                    raise InvalidRequest(
                        f"nodes.{node_id}.{name}: {node['type']!r} has no such field."
                        + near(name, schema.get("properties", {})),
                        suggestion="The server would drop it silently.",
                        field=f"nodes.{node_id}.{name}",
                    )

    def check_data(self, graph: Mapping[str, Any], data: Data) -> None:
        """Check values against the fields that they are meant for.

        Raises:
            InvalidRequest: a node or field does not exist, or a value does not fit; `field` says which.
        """
        seen: set[tuple[str, str]] = set()
        wired = {
            (edge["destination"]["node_id"], edge["destination"]["field"]): edge["source"]["node_id"]
            for edge in graph["edges"]
        }
        for group in data:
            for entry in group:
                node_id, name = entry["node_path"], entry["field_name"]
                place = f"data.{node_id}.{name}"
                node = graph["nodes"].get(node_id)
                if node is None:
                    raise InvalidRequest(
                        f"{place}: the graph has no node {node_id!r}." + near(node_id, graph["nodes"]), field=place
                    )
                if (node_id, name) in seen:
                    raise InvalidRequest(f"{place}: is set twice.", field=place)
                seen.add((node_id, name))
                if (node_id, name) in wired:
                    raise InvalidRequest(
                        f"{place}: is set by an edge from {wired[node_id, name]!r}, so each value would be lost.",
                        suggestion="Vary a field of the node at the other end of the edge, or remove the edge.",
                        field=place,
                    )
                fields = self.fields(node["type"])
                settable = [one for one in fields if one not in ("id", "type")]
                if name not in settable:
                    raise InvalidRequest(
                        f"{place}: {node['type']!r} has no field {name!r} to set." + near(name, settable), field=place
                    )
                self._check_values(place, fields[name], entry["items"])

    def _referred(self, schema: Any) -> dict[str, Any]:
        """Return the schemas that one refers to, directly or not. Compiling the server's whole 2 MB takes a second."""
        found: dict[str, Any] = {}
        waiting = [schema]
        while waiting:
            part = waiting.pop()
            waiting += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
            reference = part.get("$ref", "") if isinstance(part, dict) else ""
            name = str(reference).removeprefix("#/components/schemas/")
            if name in self._schemas and name not in found:
                found[name] = self._schemas[name]
                waiting.append(found[name])
        return found

    def _check_values(self, place: str, field: Mapping[str, Any], values: list[Any], *, in_batch: bool = True) -> None:
        schema = {**field, "components": {"schemas": self._referred(field)}}
        try:
            fits = fastjsonschema.compile(schema, _NO_FETCHING, use_default=False, use_formats=False)
        except _NotFetchedError:
            return  # not checked: the server decides
        for index, value in enumerate(values):
            at = f"{place}[{index}]" if in_batch else place
            if value is None:
                raise InvalidRequest(f"{at}: cannot be None.", field=place)
            if isinstance(value, bool) and field.get("type") != "boolean" and "anyOf" not in field:
                raise InvalidRequest(f"{at}: should be {_kind(field)}, got {value!r}.", field=place)
            if isinstance(value, float) and abs(value) >= _NO_INTEGER and field.get("type") == "integer":
                raise InvalidRequest(f"{at}: should be an integer, got {value!r}.", field=place)
            try:
                fits(value)
            except fastjsonschema.JsonSchemaValueException as error:
                raise InvalidRequest(
                    f"{at}: {_expected(error, field)}, got {value!r:.80}.",
                    suggestion="The server would accept it and then never get past it." if in_batch else "",
                    field=place,
                ) from None


def _kind(field: Mapping[str, Any]) -> str:
    kind = str(field.get("type", "another type"))
    return f"an {kind}" if kind[0] in "aeio" else f"a {kind}"


def _expected(error: fastjsonschema.JsonSchemaValueException, field: Mapping[str, Any]) -> str:
    if error.rule == "type" and isinstance(error.rule_definition, str):
        return f"should be {_kind({'type': error.rule_definition})}"
    if error.rule == "enum":
        return f"should be one of {', '.join(map(repr, list(field.get('enum', ()))[:12]))}"
    limits = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
        "multipleOf": "a multiple of",
    }
    if error.rule in limits:
        return f"should be {limits[error.rule]} {error.rule_definition}"
    if "anyOf" in field:
        kinds = [str(o.get("type") or str(o.get("$ref", "")).rpartition("/")[2]) for o in field["anyOf"]]
        return f"should be {' or '.join(k for k in kinds if k and k != 'null')}"
    return f"does not fit ({error.message[:80]})"
