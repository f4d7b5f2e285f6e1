"""What happens in a history: steps at given times, drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

LENGTH_S = 20.0

_ACTIONS = ("submit",) * 8 + ("cancel",) * 4 + ("cancel_batch", "cancel_pending", "retry", "retry", "retry_failed") + (
    "prune", "prune", "clear", "delete", "pause", "resume", "resume", "reconnect", "refresh")  # fmt: skip
_THEIRS = ("submit", "cancel", "cancel_batch", "cancel_pending", "retry", "prune", "prune", "clear", "delete", "pause",
           "resume", "resume")  # fmt: skip
_REQUESTS = ("", "", "", "enqueue", "enqueue", "cancel", "status", "b/.*/status", "ids", "retry", "i/", "openapi",
             "version", "socket")  # fmt: skip
_KINDS = ("lose_reply",) * 4 + ("lose_request", "late", "error", "error", "refuse", "gateway", "slow", "stall", "cut",
          "slice", "half", "drip", "cut_upload", "drop_event", "double_event", "swap_event")  # fmt: skip
_WORLD = ("restart", "break_sockets", "break_sockets", "outage", "jump", "wall", "lag")
_GRAPHS = ("quick", "quick", "quick", "slow", "fails", "flaky", "flaky")

LATEST_S = 2.5
"""A request may reach the server so much later than its connection broke. The client looks for it for 3.2 s."""


@dataclass(frozen=True)
class Step:
    """One thing that happens.

    Attributes:
        at: seconds after the consoles have connected.
        who: 0 or 1 for a console, "others", "fault" or "world".
        what: the action, or the kind of fault.
        options: its arguments.
    """

    at: float
    who: int | str
    what: str
    options: dict[str, Any]

    def __str__(self) -> str:
        options = ", ".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.at:6.2f}  {self.who}  {self.what}({options})"


def draw(seed: int) -> list[Step]:
    """Return the steps of a seed, in order."""
    numbers = random.Random(f"steps {seed}")
    consoles = numbers.choice((1, 1, 2))
    trouble = numbers.choice((0, 2, 5, 10))
    steps = [_action(numbers, numbers.randrange(consoles)) for _ in range(numbers.randint(3, 14))]
    steps += [_others(numbers) for _ in range(numbers.randint(0, 6))]
    steps += [_fault(numbers) for _ in range(trouble)]
    steps += [_world(numbers) for _ in range(trouble // 3)]
    return sorted(steps, key=lambda step: step.at)


def _at(numbers: random.Random) -> float:
    return round(numbers.uniform(0.0, LENGTH_S), 3)


def _action(numbers: random.Random, who: int | str) -> Step:
    what = numbers.choice(_ACTIONS)
    options: dict[str, Any] = {"number": numbers.randrange(100)}
    if what == "submit":
        options = {
            "graph": numbers.choice(_GRAPHS),
            "runs": numbers.choice((1, 1, 2, 3)),
            "prepend": numbers.random() < 0.2,
            "attempts": numbers.choice((0, 0, 2, 3)),
            "patience": numbers.choice((0, 0, 5, 60)),
        }
    if numbers.random() < 0.15:
        options["interrupt_after"] = round(numbers.expovariate(20.0), 4)
    elif numbers.random() < 0.2:
        options["interrupt_in"] = numbers.randint(1, 80)  # rounds of the loop: right between two of its callbacks
    return Step(_at(numbers), who, what, options)


def _others(numbers: random.Random) -> Step:
    what = numbers.choice(_THEIRS)
    options: dict[str, Any] = {"number": numbers.randrange(100)}
    if what == "submit":
        options = {"graph": numbers.choice(_GRAPHS), "runs": numbers.choice((1, 2))}
    return Step(_at(numbers), "others", what, options)


def _fault(numbers: random.Random) -> Step:
    kind = numbers.choice(_KINDS)
    amount = {
        "late": round(numbers.uniform(0.0, LATEST_S), 3),
        "slow": round(numbers.uniform(0.1, LATEST_S), 3),
        "stall": numbers.choice((1.0, 5.0, 40.0)),
        "cut": numbers.randrange(400),
        "slice": numbers.choice((1, 7, 100)),
        "cut_upload": numbers.randrange(600),
    }.get(kind, 0)
    path = "" if kind.endswith("_event") or kind == "cut_upload" else numbers.choice(_REQUESTS)
    return Step(_at(numbers), "fault", kind, {"path": path, "times": numbers.choice((1, 1, 1, 2, 4)), "amount": amount})


def _world(numbers: random.Random) -> Step:
    what = numbers.choice(_WORLD)
    options = {
        "restart": {"seconds": numbers.choice((0.1, 2.0, 12.0))},
        "outage": {"seconds": numbers.choice((0.1, 2.0, 12.0))},
        "jump": {"seconds": numbers.choice((0.5, 5.0, 100.0))},
        "wall": {"seconds": numbers.choice((-3600.0, -1.0, 1.0, 3600.0))},
        "lag": {"factor": numbers.choice((10.0, 30.0)), "seconds": 3.0},
    }.get(what, {})
    return Step(_at(numbers), "world", what, dict(options))
