"""The live line of a job, a batch or a retry, on a running server."""

from __future__ import annotations

import invoke_widgets as iw
from tests.support.graphs import blank_image, fail, sleep
from tests.support.parts import Sent, ask, said
from tests.support.wire import Wire, until


def test_line_of_a_batch_follows_it_to_its_end(console: iw.Console, wire: Wire) -> None:
    """Counts, what runs, and what came of a cancel."""
    batch = console.submit(sleep(60, steps=600), runs=3)
    line = console.progress(batch)
    until(lambda: line.running and line.running["share"] and line.counts.get("pending") == 2, "the progress")
    assert ("Batch", 3) == (line.name, line.total)
    ask(line, "cancel")
    assert said(line).startswith("Canceled 3 of batch")
    until(lambda: line.counts["canceled"] == 3, "the counts")
    assert {} == line.running
    assert "3 canceled" in line.as_html()
    line.close()


def test_line_of_a_job_shows_its_error_and_its_retry_another_line(console: iw.Console, wire: Wire) -> None:
    """The message, with the item; a retry is a handle like another."""
    [job] = console.submit(fail("out of luck"))
    line = console.progress(job)
    until(lambda: line.error, "the error")
    assert (f"Job {job.item_id}", 1, f"Item {job.item_id}: out of luck") == (line.name, line.total, line.error)
    again = console.progress(console.retry(job.item_id))
    until(lambda: again.counts.get("failed") == 1, "the retry")
    assert "Retry" == again.name
    for one in (line, again):
        one.close()


def test_line_of_a_batch_sends_the_newest_pictures(console: iw.Console, wire: Wire) -> None:
    """One of each job, to the page that asks."""
    batch = console.submit(blank_image(32, 16), runs=2)
    batch.wait(60)
    line = console.progress(batch)
    until(lambda: len(line.pictures) == 2, "the names of both pictures")
    sent = Sent(line)
    ask(line, "thumbnail", names=line.pictures, page="me")
    until(lambda: sum(len(one["buffers"]) for one in sent.of("thumbnail")) == 2, "both pictures")
    line.close()


def test_line_of_one_job_is_canceled_alone(console: iw.Console, wire: Wire) -> None:
    """Its batch goes on."""
    running, pending = wire.running_and_pending(2)
    console.refresh()
    line = console.progress(console.job(pending[0]))
    ask(line, "cancel")
    assert said(line).startswith(f"Canceled item {pending[0]}")
    assert ["in_progress", "canceled", "pending"] == wire.statuses([running, *pending])
    line.close()
