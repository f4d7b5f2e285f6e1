"""The models of a server as a frame, and as values of a workflow's field."""

from __future__ import annotations

import pytest

import invoke_widgets as iw
from invoke_widgets.errors import InvalidRequest

_COLUMNS = dict.fromkeys(("name", "type", "base", "key", "hash"), "string")


def test_models_are_a_frame(console: iw.Console) -> None:
    """Of one schema, whether the server has models or none."""
    for frame in (console.models(), console.models(search="no such name")):
        assert _COLUMNS == {name: str(dtype) for name, dtype in frame.dtypes.items()}


def test_models_by_type_base_and_name(console: iw.Console) -> None:
    """Whatever the capitals."""
    if console.demo is None:
        assert [] == list(console.models(type="main", base="sdxl", search="DEMO")["name"])
    else:
        assert ["Demo SD 1.5", "Demo SD 1.5 Night", "Demo SDXL"] == list(console.models(type="main")["name"])
        assert ["Demo SDXL"] == list(console.models(type="main", base="sdxl", search="DEMO")["name"])


def test_an_unknown_type_of_model_is_refused(console: iw.Console) -> None:
    """The error names the argument and the types there are."""
    with pytest.raises(InvalidRequest, match=r"model_type.*'lora'"):
        console.models(type="lorra")


def test_a_model_is_chosen_by_name_or_row(console: iw.Console) -> None:
    """A missing one is told with a near name, before anything is sent."""
    if console.demo is None:
        with pytest.raises(InvalidRequest, match="demo_text_to_image"):
            console.submit({"nodes": {"n": {"id": "n", "type": "demo_text_to_image"}}, "edges": []})
        return
    workflow = console.workflow("Demo: Text to Image")
    workflow["Model"] = console.models(search="night").iloc[0]
    assert "Demo SD 1.5 Night" == workflow["Model"]
    workflow["Model"] = "Demo SDXL"
    assert "Demo SDXL" == workflow["Model"]
    with pytest.raises(InvalidRequest, match=r"no model 'Demo SD1\.5'.*Did you mean 'Demo SD 1\.5'"):
        workflow["Model"] = "Demo SD1.5"


def test_text_to_image_puts_out_a_picture_of_its_seed(console: iw.Console) -> None:
    """On the demo server, where it stands in for a model."""
    if console.demo is None:
        assert console.models(search="Demo SDXL").empty
        return
    workflow = console.workflow("Demo: Text to Image").with_(Model="Demo SDXL", Steps=3, Width=128, Height=128)
    batches = [workflow.submit(seed=[seed]) for seed in (1, 2)]
    for batch in batches:
        batch.result(30)
    assert 2 == len({batch.images[0].bytes() for batch in batches})
