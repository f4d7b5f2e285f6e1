"""How long classifying, logging and making frames take: `python -m tests.bench.classification`.

The baseline is what any Python would spend on the same error without knowing anything: one regular expression for
classifying, and appending a dictionary to a list for logging. For frames it is a
list of dictionaries, and processor time is counted, so that a busy machine does not show.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from invoke_widgets.errors import classify, failures
from invoke_widgets.history import frames
from invoke_widgets.history.file import HistoryFile
from invoke_widgets.history.logs import ErrorLog
from invoke_widgets.records import Cancellation, FieldValue, JobError, QueueItem
from tests.support.known_failures import FAILURES, replies

N = 100_000
T0 = datetime.now(UTC)
_BASELINE = re.compile(r"out of memory|no space left|timed out|refused")


def median_us(function: Callable[[Any], object], inputs: Iterable[Any], rounds: int = 200) -> float:
    """The median over all calls, in microseconds."""
    given = list(inputs)
    times = []
    for _ in range(rounds):
        for each in given:
            begin = time.perf_counter_ns()
            function(each)
            times.append(time.perf_counter_ns() - begin)
    return statistics.median(times) / 1000


def cpu_s(function: Callable[[], object]) -> float:
    """The processor's time for one call, in seconds: the best of three."""
    times = []
    for _ in range(3):
        begin = time.process_time()
        function()
        times.append(time.process_time() - begin)
    return min(times)


def _failed(item_id: int) -> QueueItem:
    failure = FAILURES[item_id % len(FAILURES)]
    return QueueItem(
        item_id=item_id,
        status="failed",
        batch_id="b",
        completed_at=T0,
        server_error_type=failure.server_error_type,
        error_message=failure.message,
        error_traceback="Traceback (most recent call last):\n" + '  File "x.py", line 1, in f\n' * 20,
    )


_SOURCE = (
    '  File "/opt/venv/lib/python3.11/site-packages/invokeai/app/invocations/compel.py", line 112, in invoke\n'
    "    tokens, tokenizer = get_max_token_count(tokenizer_info, text_encoder_info)\n"
)
_OUT_OF_MEMORY = (
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 7.79 GiB of which 10.12 MiB is "
    "free. Including non-PyTorch memory, this process has 7.61 GiB memory in use. Of the allocated memory 7.2 GiB is "
    "allocated by PyTorch, and 123.45 MiB is reserved by PyTorch but unallocated."
)
_OTHER_WEIGHTS = "Error(s) in loading state_dict for UNet2DConditionModel: Missing key(s): " + ", ".join(
    f'"down_blocks.{i}.resnets.0.conv1.weight"' for i in range(400)
)
# What real failures bring: what, class, message.
REAL = (
    ("CUDA out of memory", "OutOfMemoryError", _OUT_OF_MEMORY),
    ("weights of another model, 16 kB", "RuntimeError", _OTHER_WEIGHTS),
    ("unknown, 10 kB", "RuntimeError", "some unknown text " * 600),
    ("unknown, 60 kB of what looks like secrets", "RuntimeError", "token " + "x-" * 30_000),
)


def _told(kind: str, message: str) -> dict[str, Any]:
    traceback = "Traceback (most recent call last):\n" + _SOURCE * 20 + f"{kind}: {message}"
    return {"item_id": 1, "status": "failed", "batch_id": "b", "error_type": kind, "error_message": message,
            "error_traceback": traceback}  # fmt: skip


def _real_failures(line: Callable[[str, float, float, str], None]) -> None:
    """Tracebacks as they are, with "tokenizer" in them, and messages that are long."""
    for what, kind, message in REAL:
        baseline = median_us(lambda text: _BASELINE.search(text.lower()), [f"{kind}: {message}"], 500)
        read = QueueItem.from_json(_told(kind, message))
        items = [replace(read, item_id=i) for i in range(2000)]
        took = median_us(lambda item: failures.diagnose_failure(item.server_error_type, item.error_message), items, 1)
        line(f"classify: {what}", took, baseline, "µs")
        line(f"log: {what}", median_us(ErrorLog().record_failure, items, 1), baseline, "µs")
        line(f"read and clean: {what}", median_us(QueueItem.from_json, [_told(kind, message)], 500), baseline, "µs")


def main() -> None:
    known = replies()
    print(f"{'':58} {'ours':>10} {'baseline':>10}")

    def line(what: str, ours: float, baseline: float, unit: str) -> None:
        print(f"{what:58} {ours:7.2f} {unit:2} {baseline:7.2f} {unit:2}")

    line(
        f"classify a failed job ({len(FAILURES)} kinds)",
        median_us(lambda f: failures.diagnose_failure(f.server_error_type, f.message), FAILURES),
        median_us(lambda f: _BASELINE.search(f"{f.server_error_type}: {f.message}".lower()), FAILURES),
        "µs",
    )
    encoded = [(r.status, r.content_type, r.body.encode(), r.request) for r in known]
    line(
        f"classify a reply ({len(known)} kinds)",
        median_us(lambda r: classify.exception_for_reply(*r), encoded),
        median_us(lambda r: _BASELINE.search(r[2].decode().lower()), encoded),
        "µs",
    )
    rows: list[dict[str, Any]] = []
    plain = median_us(lambda i: rows.append({"id": i.item_id, "e": i.server_error_type, "m": i.error_message}),
                      [_failed(i) for i in range(5000)], rounds=1)  # fmt: skip
    log = ErrorLog()
    line(
        "log an error, in memory",
        median_us(log.record_failure, [_failed(i) for i in range(5000)], rounds=1),
        plain,
        "µs",
    )
    _real_failures(line)
    with tempfile.TemporaryDirectory() as folder:
        file = HistoryFile(Path(folder) / "h.sqlite")
        kept = ErrorLog(file=file, source="s")
        spent = median_us(kept.record_failure, [_failed(i) for i in range(5000)], rounds=1)
        line("log an error, with a history file", spent, plain, "µs")
        file.close()

    import pandas as pd

    kind = FAILURES[0].error_type
    errors = [
        JobError(at=T0 + timedelta(seconds=i), error_type=kind, message=f"m{i % 50}", item_id=i) for i in range(N)
    ]
    cancels = [
        Cancellation(scope="item", outcome="canceled", canceled=1, item_ids=(i,), requested_at=T0) for i in range(N)
    ]
    jobs = [
        QueueItem(item_id=i, status="completed", batch_id=f"b{i % 9}", created_at=T0, started_at=T0,
                  completed_at=T0, field_values=(FieldValue("a", "b", i),))
        for i in range(N)
    ]  # fmt: skip
    frames.errors(errors[:10])
    for name, make, records in (
        ("errors", frames.errors, errors),
        ("cancellations", frames.cancellations, cancels),
        ("jobs", frames.jobs, jobs),
    ):
        by_rows = cpu_s(
            lambda records=records: pd.DataFrame([{s: getattr(r, s) for s in type(r).__slots__} for r in records])  # type: ignore[misc]
        )
        line(f"{N:,} {name} to a frame", cpu_s(lambda make=make, records=records: make(records)), by_rows, "s")  # type: ignore[misc]


if __name__ == "__main__":
    main()
