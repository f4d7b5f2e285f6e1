"""A multiuser server: tokens, items of other users, and rights of administrators."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

import invoke_widgets as iw
from invoke_widgets.errors import AccessDenied, InvalidRequest
from invoke_widgets.notices import ConnectionBack, ConnectionLost, JobFailed, Notice
from invoke_widgets.widgets.controls import Controls
from invoke_widgets.widgets.header import Header
from invoke_widgets.widgets.queue_table import QueueTable, row
from tests.contract.people import USER, People, login
from tests.support.chaos import ChaosProxy
from tests.support.graphs import add_and_multiply, divide, fail, sleep
from tests.support.parts import ask
from tests.support.servers import EmbeddedServer
from tests.support.wire import until

pytestmark = pytest.mark.every_version


@pytest.fixture
def mine(people: People) -> Iterator[iw.Console]:
    """A plain user's console."""
    with iw.connect(people.user.server.url, token=people.user.token) as console:
        yield console


def test_connecting_without_a_good_token_says_what_to_do(people: People) -> None:
    """A missing and a bad token are both refused, and the error says what to do."""
    with pytest.raises(iw.AccessDenied, match=r"token=.* or set INVOKEAI_TOKEN|Pass token="):
        iw.connect(people.user.server.url)
    with pytest.raises(iw.AccessDenied, match="token"):
        iw.connect(people.user.server.url, token="garbage")


def test_connecting_before_the_setup_says_what_to_do() -> None:
    """There is no administrator yet, so that nobody can have a token."""
    server = EmbeddedServer(multiuser=True)
    server.start()
    try:
        with pytest.raises(iw.AccessDenied, match=f"Open {server.url} in a browser and create the administrator"):
            iw.connect(server.url)
    finally:
        server.stop()


def test_user_with_a_token_can_submit_and_cancel(mine: iw.Console) -> None:
    """Submit, events, results, errors and cancel work over a live socket."""
    assert "live" == mine.status.connection.mode
    assert [30] == [result["mul"]["value"] for result in mine.submit(add_and_multiply()).result(60)]
    with pytest.raises(iw.ExecutionFailed):
        mine.submit(divide(1, 0)).jobs[0].wait(60)
    job = mine.submit(sleep(60)).jobs[0]
    until(lambda: job.status == "in_progress", "the job to run")
    assert "canceled" == job.cancel().outcome
    assert 1 == len(mine.errors)


def test_cancel_of_another_users_item_is_refused(mine: iw.Console, people: People) -> None:
    """Another user's item is shown without its private fields and cannot be canceled."""
    theirs, waiting = people.admin.running_and_pending(1)
    mine.refresh()
    assert {theirs, *waiting} <= {item.item_id for item in mine.queue}
    refused = mine.cancel(theirs)
    assert ("refused", 0) == (refused.outcome, refused.canceled)
    assert refused.message
    assert ["cancellation_failed"] == [error.error_type for error in mine.errors]
    assert "in_progress" == people.admin.item(theirs)["status"]
    mine.clear()
    mine.refresh()
    assert "in_progress" == people.admin.item(theirs)["status"]


def test_a_watch_says_what_it_could_not_cancel(mine: iw.Console, people: People) -> None:
    """It does not claim that another user's item was canceled when the time is up."""
    theirs, _ = people.admin.running_and_pending(1)
    mine.refresh()
    with pytest.raises(iw.JobTimeout, match=rf"Canceled 0 of 1\. Item {theirs} was not canceled\."):
        list(mine.watch(mine.job(theirs), timeout=0.2, on_timeout="cancel"))
    assert "in_progress" == people.admin.item(theirs)["status"]


def test_clear_counts_the_users_own_items(mine: iw.Console, people: People) -> None:
    """Pending items of other users are neither counted nor cleared."""
    people.admin.put("processor/pause")
    people.admin.enqueue(add_and_multiply(), runs=3, data=None)
    mine.submit(add_and_multiply()).jobs[0].cancel()
    assert "Cleared your items: 1 deleted." == mine.clear().message
    mine.submit(add_and_multiply())
    assert "Cleared your items: 1 deleted, 1 of them unfinished." == mine.clear().message
    assert 3 == people.admin.get("status")["queue"]["pending"]


def test_another_users_batch_may_be_there(mine: iw.Console, people: People) -> None:
    """The server tells nothing of it, so that it is not said to be missing."""
    people.admin.put("processor/pause")
    batch_id = people.admin.enqueue(add_and_multiply(), runs=2)["batch"]["batch_id"]
    mine.refresh()
    record = mine.cancel_batch(batch_id)
    assert "another user's" in record.message
    if people.admin.server.has("redacts_ids"):
        assert ("not_found", 0) == (record.outcome, record.canceled)
        assert f"No item of batch {batch_id} in this queue is yours" in record.message
        with pytest.raises(iw.NotFound, match=r"No item of batch .* is yours"):
            mine.batch(batch_id)
    else:  # its counters are everybody's
        assert ("refused", 0) == (record.outcome, record.canceled)
    assert 2 == people.admin.get("status")["queue"]["pending"]
    with iw.connect(mine.url, token=people.admin.token) as admin:
        assert "There is no batch none in this queue." in admin.cancel_batch("none").message
        assert 2 == admin.cancel_batch(batch_id).canceled


def test_clear_without_own_items_says_so(mine: iw.Console, people: People) -> None:
    """The queue is not cleared: other users' items stay."""
    people.admin.put("processor/pause")
    people.admin.enqueue(add_and_multiply(), runs=3, data=None)
    record = mine.clear()
    assert ("already_finished", 0, "Nothing in the queue is yours.") == (
        record.outcome,
        record.canceled,
        record.message,
    )
    mine.submit(add_and_multiply())
    assert "Cleared your items: 1 deleted, 1 of them unfinished." == mine.clear().message


def test_refused_delete_and_retry_name_the_item(mine: iw.Console, people: People) -> None:
    """The error log says which item they were about."""
    theirs = people.admin.run(fail())["item_id"]
    mine.refresh()
    for action in (mine.delete, mine.retry):
        with pytest.raises(AccessDenied) as caught:
            action(theirs)
        assert theirs == caught.value.item_id
    assert [theirs, theirs] == mine.errors.frame()["item_id"].tolist()


def test_a_refused_retry_of_several_names_the_item_that_is_not_ones_own(mine: iw.Console, people: People) -> None:
    """The server refuses all of them because of one, which the error log says."""
    theirs = people.admin.run(fail())["item_id"]
    own = mine.submit(fail()).item_ids[0]
    until(lambda: own in mine.errors.frame()["item_id"].tolist(), "the failure")
    with pytest.raises(AccessDenied) as caught:
        mine.retry([own, theirs])
    assert theirs == caught.value.item_id
    assert theirs == mine.errors.frame()["item_id"].tolist()[-1]


def test_buttons_count_the_users_own_items(mine: iw.Console, people: People) -> None:
    """A user's buttons count their own items only, an administrator's all."""
    theirs = people.admin.run(fail())["item_id"]
    people.admin.put("processor/pause")
    waiting = people.admin.enqueue(add_and_multiply(), runs=3)["item_ids"]
    mine.refresh()
    controls = Controls(mine)
    numbers = ("total", "pending", "unfinished", "retryable", "own")
    assert [0, 0, 0, 0, True] == [controls.totals[name] for name in numbers]
    table = QueueTable(mine)
    ask(table, "cancel", item_ids=[theirs, *waiting])
    until(lambda: table.failures or table.said, "the refusal")
    assert ["pending"] * 3 == people.admin.statuses(waiting)
    mine.submit(add_and_multiply(), runs=2)
    until(lambda: controls.totals["pending"] == 2, "one's own to be counted")
    assert [2, 2, 2, 0, True] == [controls.totals[name] for name in numbers]
    assert not controls.totals["may_pause"]
    with iw.connect(mine.url, token=people.admin.token) as admin:
        every = Controls(admin)
        until(lambda: every.totals["total"] == 6, "all to be counted")
        assert [5, 1, False, True] == [every.totals[name] for name in ("pending", "retryable", "own", "may_pause")]


def test_rows_of_other_users_offer_no_action(mine: iw.Console, people: People) -> None:
    """They are marked so that the table shows no button."""
    people.admin.put("processor/pause")
    (theirs,) = people.admin.enqueue(add_and_multiply())["item_ids"]
    own = mine.submit(add_and_multiply()).jobs[0].item_id
    mine.refresh()
    state = mine.internals.store.state
    assert {theirs: [1], own: []} == {item_id: row(item, state)[12:] for item_id, item in state.items.items()}


def test_retry_failed_retries_the_users_own_items(mine: iw.Console, people: People) -> None:
    """Another user's failed item is neither retried nor logged, and gives no notice."""
    received: list[Notice] = []
    end = mine.on_notice(received.append)
    theirs = people.admin.run(fail())["item_id"]
    (own,) = people.user.enqueue(fail())["item_ids"]
    people.user.wait_for(own)
    mine.refresh()
    retried = mine.retry_failed()
    assert [own] == list(retried.new_item_ids)
    with pytest.raises(iw.ExecutionFailed):
        retried.jobs[0].wait(60)
    mine.refresh()
    assert theirs in {item.item_id for item in mine.queue}
    assert {own, *retried.new_item_ids.values()} == {error.item_id for error in mine.errors}
    until(lambda: sum(isinstance(notice, JobFailed) for notice in received) == 2, "both failures to be reported")
    assert theirs not in {getattr(notice, "item", None) and notice.item.item_id for notice in received}
    end()


@pytest.mark.slow
def test_queue_stuck_by_another_user_says_whose_it_is(mine: iw.Console, people: People) -> None:
    """A user without the right to cancel it sees no button, but whom to ask."""
    poison = people.admin.enqueue(data=[[{"node_path": "add", "field_name": "a", "items": ["x"]}]])
    own = mine.submit(add_and_multiply()).jobs[0]
    wedge = until(lambda: mine.status.wedge, "the wedge to be seen")
    batches = () if people.admin.server.has("redacts_ids") else (poison["batch"]["batch_id"],)
    assert (tuple(poison["item_ids"]), batches) == (wedge.item_ids, wedge.batch_ids)
    if people.admin.server.has("item_summaries"):  # else the item is known by its id alone
        assert wedge.is_theirs
        banner = until(lambda: Header(mine).banner, "the banner")
        assert "It is another user's: they, or an administrator, can cancel it." in banner["text"]
        assert "unwedge" not in banner["actions"]
        with pytest.raises(iw.CancellationFailed) as caught:
            mine.unwedge()
        assert "administrator" in caught.value.suggestion
    people.admin.put("cancel_by_batch_ids", json={"batch_ids": [poison["batch"]["batch_id"]]})
    assert "completed" == own.wait(60).status


def test_new_token_of_another_user_reads_the_queue_again(mine: iw.Console, people: People) -> None:
    """Users may see different fields of the same item, so all items are read again."""
    people.admin.put("processor/pause")
    batch_id = people.admin.enqueue(add_and_multiply())["batch"]["batch_id"]
    mine.refresh()
    assert ["redacted" if people.admin.server.has("redacts_ids") else batch_id] == [i.batch_id for i in mine.queue]
    assert "live" == mine.reconnect(token=people.admin.token).mode
    mine.refresh()
    assert [batch_id] == [item.batch_id for item in mine.queue]
    (later,) = people.admin.enqueue(add_and_multiply())["item_ids"]
    until(lambda: later in {item.item_id for item in mine.queue}, "events of an administrator")


def test_job_log_has_the_users_own_jobs(mine: iw.Console, people: People) -> None:
    """Jobs of other users, whose details are private, are not in it."""
    people.admin.put("processor/pause")
    (own,) = mine.submit(add_and_multiply()).item_ids
    batch = people.admin.enqueue(add_and_multiply())
    mine.refresh()
    assert [own] == [job.item_id for job in mine.jobs]
    with iw.connect(people.user.server.url, token=people.user.token) as later:
        assert [own] == [job.item_id for job in later.jobs]
    mine.reconnect(token=people.admin.token)
    mine.refresh()
    assert [(own, "pending"), (batch["item_ids"][0], "pending")] == [(job.item_id, job.status) for job in mine.jobs]


def test_pause_by_a_user_is_refused(mine: iw.Console, people: People) -> None:
    """The error says that the server does not allow it, and is logged."""
    with pytest.raises(iw.AccessDenied, match="does not allow"):
        mine.pause()
    assert people.admin.get("status")["processor"]["is_started"]
    assert 1 == len(mine.errors)


@pytest.mark.slow
def test_token_refused_later_is_reported_everywhere(mine: iw.Console, people: People) -> None:
    """The status, views and notices say what to do, until a new token is set."""
    received: list[Notice] = []
    end = mine.on_notice(received.append)
    line = Header(mine)
    mine.client.transport.set_token("expired")
    until(lambda: mine.status.connection.is_refused, "the refusal to be seen")
    connection = mine.status.connection
    assert ("reconnecting", False) == (connection.mode, connection.is_ill)
    assert "console.reconnect(token=...)" in connection.remedy
    until(lambda: line.banner.get("title") == "Access refused", "the banner to say it")
    for shown in (line.banner["text"], line.as_text(), line.as_html(), str(mine)):
        assert "refuses the token" in shown
        assert "console.reconnect(token=...)" in shown
    assert "access refused" in line.as_text()
    assert "offline" not in line.as_text()
    with pytest.raises(AccessDenied, match=r"refused.*console\.reconnect\(token=\.\.\.\)"):
        mine.reconnect()
    with pytest.raises(AccessDenied, match="token"):
        mine.submit(add_and_multiply())
    with pytest.raises(AccessDenied, match="token"):
        mine.submit(add_and_multiply(), patience=600)  # waiting would not mend it
    with pytest.raises(InvalidRequest, match="token: should be"):
        mine.reconnect(token="with\na line")
    assert "live" == mine.reconnect(token=login(people.nobody, USER)).mode
    assert ("", "", False) == (mine.status.connection.error, mine.status.connection.remedy, connection.is_ill)
    until(lambda: line.banner == {}, "the banner to go")
    until(lambda: any(isinstance(notice, ConnectionBack) for notice in received), "the notice")
    end()
    line.close()
    assert [(ConnectionLost, True), (ConnectionBack, None)] == [
        (type(notice), getattr(notice, "is_refused", None)) for notice in received
    ]
    assert "completed" == mine.submit(add_and_multiply()).jobs[0].wait(60).status


def test_token_refused_after_an_outage_is_reported(people: People) -> None:
    """A server that is back but refuses the token is not called offline."""
    with ChaosProxy(people.user.server.url) as proxy, iw.connect(proxy.url, token=people.user.token) as console:
        received: list[Notice] = []
        end = console.on_notice(received.append)
        with proxy.offline():
            until(lambda: console.status.connection.mode == "reconnecting", "the loss to be seen")
            assert not console.status.connection.is_refused
            until(lambda: received, "the notice")
            console.client.transport.set_token("expired")
        until(lambda: console.status.connection.is_refused, "the refusal to be seen")
        assert "access refused" in str(console)
        until(lambda: len(received) == 2, "the refusal to be reported")
        end()
        assert [False, True] == [notice.is_refused for notice in received if isinstance(notice, ConnectionLost)]
        assert "live" == console.reconnect(token=people.user.token).mode


def test_refusal_of_an_attempt_that_began_before_is_not_taken_for_the_new_tokens(people: People) -> None:
    """Its answer may come long after the token was replaced; `reconnect` does not wait for it."""
    with ChaosProxy(people.user.server.url) as proxy, iw.connect(proxy.url, token=people.user.token) as console:
        console.client.transport.set_token("expired")
        until(lambda: console.status.connection.is_refused, "the refusal to be seen")
        held = proxy.delay(10, path="/queue/default/status", times=1)
        until(lambda: held.hits, "an attempt with the old token")
        assert "live" == console.reconnect(token=login(people.nobody, USER)).mode


def test_token_is_shown_nowhere(people: People, caplog: pytest.LogCaptureFixture) -> None:
    """No repr, log, data frame or exception has the token, even at debug level."""
    caplog.set_level(logging.DEBUG)
    token = people.user.token or ""
    assert token
    with iw.connect(people.user.server.url, token=token) as console:
        job = console.submit(divide(1, 0)).jobs[0]
        with pytest.raises(iw.ExecutionFailed) as caught:
            job.wait(60)
        console.cancel(job.item_id)
        shown = [
            repr(console), repr(console.client), repr(console.status), repr(job), repr(caught.value),
            repr(caught.value.details), console.errors.frame().to_csv(), console.jobs.frame().to_csv(),
            console.cancellations.frame().to_csv(), caplog.text,
        ]  # fmt: skip
    assert [] == [text[:200] for text in shown if token in text]
