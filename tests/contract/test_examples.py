"""The examples do what they say, on every server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import invoke_widgets as iw
from tests.support.servers import Server
from tests.support.wire import Wire


@pytest.fixture
def console(server: Server, wire: Wire) -> Iterator[iw.Console]:
    """A console of the server whose queue `wire` has emptied."""
    with iw.connect(server.url) as console:
        yield console


def test_number_examples_complete_with_their_numbers(console: iw.Console) -> None:
    """A sum times a factor, and a quotient."""
    [product], [quotient] = (
        console.submit(iw.examples.add_and_multiply(1, 2, 10)),
        console.submit(iw.examples.divide(12, 4)),
    )
    assert (30, 3) == (product.result(60)["mul"]["value"], quotient.result(60)["quotient"]["value"])


def test_failing_examples_fail_as_they_say(console: iw.Console) -> None:
    """A division by zero and an image that is missing: neither can be cured by a retry."""
    jobs = [
        *console.submit(iw.examples.divide(), data={"quotient.b": [0]}),
        *console.submit(iw.examples.missing_image()),
    ]
    errors = []
    for job in jobs:
        with pytest.raises(iw.JobException) as caught:
            job.result(60)
        errors.append(caught.value)
    assert ["division by zero" in errors[0].message, "not found" in errors[1].message] == [True, True], errors
    assert [False, False] == [error.retryable for error in errors]


def test_picture_example_is_varied_by_its_radius(console: iw.Console) -> None:
    """Pictures of the size that was asked for, and only they are in the gallery."""
    batch = console.submit(iw.examples.square(size=64), data={"blur.radius": [0, 8]})
    images = [output["blur"] for output in batch.result(60)]
    assert [(64, 64), (64, 64)] == [(image["width"], image["height"]) for image in images]
    assert {image["image"]["image_name"] for image in images} == {image.name for image in console.images(limit=2)}
    assert [image["image"]["image_name"] for image in images] == [image.name for image in batch.images]


def test_slow_example_runs_in_steps_and_can_be_canceled(console: iw.Console) -> None:
    """It is still at work when it is canceled, and one of few steps completes."""
    [job] = console.submit(iw.examples.slow(size=1024))
    with pytest.raises(iw.JobTimeout):
        job.wait(0.5, on_timeout="cancel")
    [short] = console.submit(iw.examples.slow(steps=2, size=64))
    short.wait(60)
    assert ("canceled", "completed") == (job.status, short.status)
