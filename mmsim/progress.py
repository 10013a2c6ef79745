"""What a learner answered, kept beside the lessons in one small file, `progress.jsonl`.

A line of the file is one card: its first and last answer, and how often it was tried.  A change
reads the file, writes it whole under another name and renames it, all under a lock.  So the file
stays small, a killed kernel leaves the old one, and two notebooks at once lose nothing.

Answers are kept where a person has opened a notebook: a Jupyter server names it to its kernel in
JPY_SESSION_NAME.  Tests, nbval and the builder of lessons have no such name, and nothing is kept or
read there, nor in a folder called `solutions`.  Times are UTC seconds; no name of anybody is kept.
What can't be kept is told in a sentence, never raised: the lesson goes on."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from mmsim.datafiles import write_whole
from mmsim.errors import UserError

FILE, LOCK, SOLUTIONS = "progress.jsonl", ".progress.lock", "solutions"
SESSION = "JPY_SESSION_NAME"
ANSWER_MAX = 20_000  # characters of an answer as JSON; a longer one is kept as text, cut
LOCK_SECONDS_MAX = 5.0
NUMBERS = ("tries", "wrong", "hints", "first_at", "at")

Entry = dict[str, Any]
"""A card in the file: `card`, NUMBERS, and once there is an answer `first`, `last`, `right`.

`right`: was the first answer right; None if nothing is right or wrong.  `first_text`, `text`: the
first, the last answer is kept as text, and can't be stored again.  `last` is None after `forget()`.
"""

_waiting: list[tuple[str, int, Callable[[Entry], object]]] = []  # what could not be written yet


class Book(NamedTuple):
    """A file: what a hand-in says of itself, its cards, and the numbers of damaged lines."""

    head: dict[str, Any]
    cards: dict[str, Entry]
    damaged: list[int]


def place() -> Path | None:
    """The file beside the notebook of this kernel; None if nothing is to be kept."""
    notebook = Path(os.environ.get(SESSION, ""))
    if notebook.suffix != ".ipynb" or notebook.parent.name == SOLUTIONS:
        return None
    # a page of JupyterLite has no folder of its own
    return notebook.absolute().with_name(FILE) if sys.platform != "emscripten" else None


def read(file: Path) -> Book:
    """What stands in a progress file or a hand-in; nothing if there is none.  Raises OSError."""
    book = Book({}, {}, [])
    content = file.read_bytes() if file.exists() else b""
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            if "hand_in" in entry:
                book.head.update(entry)
            elif all(type(entry[name]) is int and entry[name] >= 0 for name in NUMBERS):
                book.cards[entry["card"].strip()] = entry
            else:
                raise ValueError
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            book.damaged.append(number)
    return book


def recall(key: str) -> tuple[Entry, str]:
    """The entry of a card, empty if there is none; and a sentence if the file is not as it was."""
    file = place()
    if file is None or not key:
        return {}, ""
    try:
        book = read(file)
    except OSError as error:
        return {}, f"Your earlier answers could not be read: {FILE}, {error.strerror or error}."
    return book.cards.get(key, {}), _store(file) if book.damaged else ""


def keep(key: str, change: Callable[[Entry], object]) -> str:
    """Let `change` write into the entry of a card; a sentence if that can't be kept."""
    if key and place() is not None:
        _waiting.append((key, int(time.time()), change))
    return keep_what_waits()


def keep_what_waits() -> str:
    """Write what could not be written before; a sentence if it still can't be."""
    file = place()
    return _store(file) if file is not None and _waiting else ""


def packed(answer: Any) -> tuple[Any, bool]:
    """An answer as JSON holds it; else, and True, as text: its beginning, or the cell that runs."""
    try:
        text = json.dumps(answer)
        if len(text) <= ANSWER_MAX:
            return json.loads(text), False
    except (TypeError, ValueError, RecursionError):
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython is not None else None
        text = str(shell.user_ns["In"][-1]) if shell is not None else type(answer).__name__
    return text[:ANSWER_MAX], True


def _store(file: Path) -> str:
    """Write what waits; a sentence if that failed, or if a damaged file was set aside."""
    try:
        with _locked(file.with_name(LOCK)):
            for rest in file.parent.glob(f".{FILE}.*.part"):  # a kernel was killed over it
                rest.unlink()
            book, told = read(file), ""
            if book.damaged:
                aside = file.with_name(f"{file.stem}.damaged-{time.time_ns()}{file.suffix}")
                write_whole(aside, file.read_bytes())
                lines = ", ".join(map(str, book.damaged[:5]))
                told = f"{FILE} was damaged (line {lines}) and is set aside as {aside.name}."
            for key, now, change in _waiting:
                new = {"card": key, **dict.fromkeys(NUMBERS, 0), "first_at": now}
                entry = book.cards.setdefault(key, new)
                entry["at"] = now
                change(entry)
            write_whole(file, _lines(*book.cards.values()))
            _waiting.clear()
            return told
    except OSError as error:
        why = f"{FILE} can't be written, {error.strerror or error}"
        return f"Not kept on disk: {why}. Go on; the next answer tries it again."


def _lines(*lines: dict[str, Any]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


@contextmanager
def _locked(lock: Path) -> Iterator[None]:
    """Nobody else writes meanwhile; the system opens the lock of a process that ends."""
    with lock.open("ab") as held:
        until = time.monotonic() + LOCK_SECONDS_MAX
        while not _taken(held.fileno()):
            if time.monotonic() > until:
                raise OSError("another notebook has been writing it for some seconds")
            time.sleep(0.01)
        yield


def _taken(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def hand_in(book: Book, name: str, version: str) -> Path:
    """Write what was answered into one file here, with this name in it; raises UserError."""
    safe = re.sub(r"\W+", "-", name).strip("-")[:60]
    if not safe:
        raise UserError(f"{name!r} is no name to hand in under: it needs a letter or a digit")
    target = Path(f"hand-in-{safe}.jsonl")
    head = {"hand_in": name, "made": int(time.time()), "mmsim": version}
    try:
        write_whole(target, _lines(head, *book.cards.values()))
    except OSError as error:
        raise UserError(f"{target} can't be written: {error.strerror or error}") from error
    return target
