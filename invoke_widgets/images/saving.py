"""Saving pictures as files: names from a pattern, never outside the folder, never half a file."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import string
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke_widgets._loop import wait
from invoke_widgets.errors import InvalidRequest, JobException, ResourceError
from invoke_widgets.jobs import Context, a_few_at_once
from invoke_widgets.workflows import near

if TYPE_CHECKING:
    from invoke_widgets.images.image import Image

_LONGEST = 200
"""Bytes of a file's name; most file systems take 255."""
_SUFFIX = ".png"
_QUIET_S = 1.0
_TICK_S = 0.2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What Windows refuses, and what would be another folder. Categories of Unicode: controls, marks of direction,
# surrogates, private and unassigned characters, separators of lines.
_REFUSED = frozenset('<>:"/\\|?*')
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)", re.IGNORECASE)


# --- names --------------------------------------------------------------------------------------------------------


def file_names(pattern: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the name of a file for each row of values; names may repeat.

    Each is safe on every system: one part of a path, at most 200 bytes, with the suffix ".png".

    Raises:
        InvalidRequest: the pattern is not one, it names an unknown value, or a format does not fit a value.
    """
    if not isinstance(pattern, str) or not pattern:
        raise InvalidRequest(f"pattern: should be a text such as '{{name}}', got {pattern!r}.", field="pattern")
    if set(pattern) & {"/", "\\"}:
        raise InvalidRequest(
            f"pattern: {pattern!r} has a slash, but should be the name of a file in the folder.",
            suggestion="Save into another folder by the first argument.",
            field="pattern",
        )
    known = dict.fromkeys(name for row in rows for name in row)
    parts = list(_parts(pattern, list(known)))
    return [
        _safe("".join(text if name is None else _formatted(row.get(name), text, name) for text, name in parts))
        for row in rows
    ]


def _parts(pattern: str, known: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield the parts of a pattern: a text and None, or a format and the name of a value."""
    try:
        parsed = list(string.Formatter().parse(pattern))
    except ValueError as error:
        raise InvalidRequest(
            f"pattern: {error}.", suggestion="Braces that are part of a name are doubled: '{{'.", field="pattern"
        ) from error
    for text, field, spec, conversion in parsed:
        yield text, None
        if field is None or not known:  # of no picture no value is known
            continue
        # A name may contain what `str.format` gives a meaning: "Positive: Prompt", "add.a".
        called = field + (f"!{conversion}" if conversion else "")
        whole = called + (f":{spec}" if spec else "")
        names = [name for name in known if whole == name or whole.startswith(f"{name}:")]
        if not names:
            raise InvalidRequest(
                f"pattern: there is no value {called!r}.{near(field, known)}",
                suggestion=f"There is: {', '.join(known)}.",
                field="pattern",
            )
        name = max(names, key=len)
        yield whole[len(name) + 1 :], name


def _formatted(value: Any, spec: str, name: str) -> str:
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        value = next((value[key] for key in ("name", "image_name", "board_id") if key in value), None) or json.dumps(
            value
        )
    if not isinstance(value, str | int | float):
        value = str(value)
    try:
        # Each on its own: what a value holds may not become a part of a path together with its neighbor.
        return _clean(format(value, spec))
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise InvalidRequest(
            f"pattern: {name!r} is {value!r}, which the format {spec!r} does not fit: {error}.", field="pattern"
        ) from error


def _clean(text: str) -> str:
    """Return a text with "_" for every character that a file's name cannot hold, and with single blanks."""
    normal = unicodedata.normalize("NFC", " ".join(text.split()))
    return "".join("_" if c in _REFUSED or unicodedata.category(c) in _REFUSED_CATEGORIES else c for c in normal)


def _safe(text: str) -> str:
    """Return a name for a file from any text."""
    stem = _clean(text)
    if stem.lower().endswith(_SUFFIX):
        stem = stem[: -len(_SUFFIX)]
    stem = _cut(stem, _LONGEST - len(_SUFFIX)).strip()
    if stem.startswith("."):  # hidden, or another folder
        stem = f"_{stem[1:]}"
    if _RESERVED.match(stem):
        stem = f"_{stem}"
    return f"{_cut(stem, _LONGEST - len(_SUFFIX)).rstrip(' .') or '_'}{_SUFFIX}"


def _cut(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore")


def numbered(name: str, number: int) -> str:
    """Return a name with a number: `fox.png`, `fox-2.png`, `fox-3.png`."""
    if number == 1:
        return name
    end = f"-{number}{_SUFFIX}"
    return _cut(name.removesuffix(_SUFFIX), _LONGEST - len(end)) + end


# --- files --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a picture goes. `path` is its file, which is there if `is_saved`."""

    image: Image
    path: Path
    is_saved: bool = False


def _targets(folder: Path, images: Sequence[Image], names: Sequence[str]) -> list[_Target]:
    """Decide each picture's file, always in the same way: one that holds it already, or the first that is free."""
    there = _files(folder)
    runs: dict[str, list[str]] = {}  # by name: the files of that name and its numbers, without a gap
    numbers: dict[str, int] = {}
    taken: set[str] = set()
    targets: list[_Target] = []
    for image, name in zip(images, names, strict=True):
        if name not in runs:
            runs[name] = list(takewhile(there.__contains__, (_folded(numbered(name, n)) for n in count(1))))
        time_ns = _time_ns(image)
        own = next((key for key in runs[name] if key not in taken and there[key][1] == time_ns is not None), None)
        if own is not None:
            taken.add(own)
            targets.append(_Target(image, there[own][0], is_saved=True))
            continue
        number = numbers.get(name, 1)
        while (key := _folded(numbered(name, number))) in there or key in taken:
            number += 1
        numbers[name] = number + 1
        taken.add(key)
        targets.append(_Target(image, folder / numbered(name, number)))
    return targets


def _files(folder: Path) -> dict[str, tuple[Path, int | None]]:
    """What is in the folder already: each path, and the time of a plain file."""
    found: dict[str, tuple[Path, int | None]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            is_file = entry.is_file(follow_symlinks=False)
            time_ns = entry.stat(follow_symlinks=False).st_mtime_ns if is_file else None
            found[_folded(entry.name)] = Path(entry.path), time_ns
    return found


def _folded(name: str) -> str:
    """Return what two names have in common if some file system takes them for one."""
    return unicodedata.normalize("NFC", name.casefold())


def _time_ns(image: Image) -> int | None:
    made = image.created_at
    return None if made is None else (made - _EPOCH) // timedelta(microseconds=1) * 1000


def _write(path: Path, content: bytes, time_ns: int | None) -> None:
    """Write a file whole or not at all, with the time at which its picture was made."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        with part.open("xb") as file:
            file.write(content)
        if time_ns is not None and time_ns >= 0:
            os.utime(part, ns=(time_ns, time_ns))
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


# --- saving -------------------------------------------------------------------------------------------------------


def save_one(image: Image, path: Path) -> Path:
    """See `Image.save`."""
    if path.is_dir():
        path = path / file_names("{name}", [{"name": image.name}])[0]
    content = image.bytes()
    try:
        _write(path, content, _time_ns(image))
    except OSError as error:
        raise ResourceError(f"{path} could not be written: {error.strerror or error}.") from error
    return path


def save_all(images: Sequence[Image], folder: Path, pattern: str, *, progress: bool) -> list[Path]:
    """See `Images.save`."""
    targets = _planned(images, folder, pattern)
    if not targets:
        return []
    tally = Tally(sum(not target.is_saved for target in targets))
    line = _Line(tally) if progress else None
    context = images[0]._context
    future = context.loop.start(_save(context, targets, tally))
    try:
        while True:
            with contextlib.suppress(TimeoutError):
                return wait(future, _TICK_S)
            if line is not None:
                line.show()
    finally:
        if line is not None:
            line.end()


async def save_soon(
    images: Sequence[Image], folder: Path, pattern: str, report: Callable[[Tally], object]
) -> list[Path]:
    """Do the same on the loop, where nothing may wait.

    Args:
        images: the pictures.
        folder: as for `Images.save`.
        pattern: as for `Images.save`.
        report: called with how far it is, before the first picture and after each.

    Raises:
        InvalidRequest, JobException: as `Images.save` does.
    """
    targets = await asyncio.to_thread(_planned, images, folder, pattern)
    if not targets:
        return []
    tally = Tally(sum(not target.is_saved for target in targets), report)
    report(tally)
    return await _save(images[0]._context, targets, tally)


def _planned(images: Sequence[Image], folder: Path, pattern: str) -> list[_Target]:
    rows = [
        {
            **image.values,
            "name": image.name,
            "index": index,
            "item_id": image.item_id,
            "batch_id": image.batch_id,
        }
        for index, image in enumerate(images)
    ]
    names = file_names(pattern, rows)
    if not images:
        return []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _targets(folder, images, names)
    except OSError as error:
        raise ResourceError(f"{folder} cannot be written to: {error.strerror or error}.") from error


async def _save(context: Context, targets: Sequence[_Target], tally: Tally) -> list[Path]:
    async def one(target: _Target) -> None:
        content = await context.client.get_image_full(target.image.name)
        try:
            await asyncio.to_thread(_write, target.path, content, _time_ns(target.image))
        except OSError as error:
            raise ResourceError(f"{target.path} could not be written: {error.strerror or error}.") from error
        tally.add(len(content))

    fetched = await a_few_at_once(one, [target for target in targets if not target.is_saved])
    failures = [each for each in fetched if isinstance(each, JobException)]
    if failures:
        raise type(failures[0])(
            f"{len(failures)} of {len(targets)} pictures could not be saved: {failures[0].message}",
            suggestion=failures[0].suggestion or "Call it again: what is saved is not fetched again.",
            retryable=failures[0].retryable,
        )
    return [target.path for target in targets]


class Tally:
    """How far the saving is: `done` pictures of `total`, and their bytes as `size`."""

    def __init__(self, total: int, report: Callable[[Tally], object] = lambda _: None) -> None:
        self.total = total
        self.done = self.size = 0
        self._report = report

    def add(self, size: int) -> None:
        self.done += 1
        self.size += size
        self._report(self)


class _Line:
    """Shows a tally once saving takes longer than a moment: in the cell's output, elsewhere on stderr."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._start = time.monotonic()
        self._length = 0
        shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
        self._file = sys.stderr if getattr(shell, "kernel", None) is None else sys.stdout

    def show(self) -> None:
        if time.monotonic() - self._start < _QUIET_S:
            return
        tally = self._tally
        filled = 20 * tally.done // max(tally.total, 1)
        line = f"Saved {tally.done} of {tally.total} |{'█' * filled}{' ' * (20 - filled)}| {tally.size / 1e6:.1f} MB"
        self._write(f"\r{line.ljust(self._length)}")
        self._length = len(line)

    def end(self) -> None:
        if self._length:
            self.show()
            self._write("\n")

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()
