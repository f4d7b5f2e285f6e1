"""A process that logs errors until it is killed: `python -m tests.support.history_writer FILE`.

After each error it prints its number and the time.
"""

from __future__ import annotations

import itertools
import sys
import time

from invoke_widgets.history.file import HistoryFile
from invoke_widgets.history.logs import ErrorLog
from invoke_widgets.records import QueueItem


def main(path: str) -> None:
    file = HistoryFile(path)
    log = ErrorLog(file=file, source="here")
    start = max((int(error.item_id or 0) for error in log), default=0) + 1
    for number in itertools.count(start):
        log.record_failure(
            QueueItem(
                item_id=number, status="failed", batch_id="b", server_error_type="RuntimeError", error_message="x" * 500
            )
        )
        print(number, time.time(), flush=True)
        time.sleep(0.001)


if __name__ == "__main__":
    main(sys.argv[1])
