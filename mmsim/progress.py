"""What a learner answered, kept beside the lessons in one small file, `progress.jsonl`.

Interface: FILE, Entry, place, read, recall, answered, forgotten, hinted, packed, cell, hand_in

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
TEXT_MAX = 4_000  # characters of a text that are kept
ANSWER_MAX = 20_000  # characters of an answer as JSON; of a longer one its cell is kept
LOCK_SECONDS_MAX = 5.0
NUMBERS = ("tries", "wrong", "hints", "first_at", "at")

Entry = dict[str, Any]
"""A card in the file: `card`, NUMBERS, and once there is an answer `first`, `last`, `right`.

`right`: was the first answer right; None if nothing is right or wrong.  `code`: the answer is the
text of a cell.  `last` is None after `forget()`."""
Change = Callable[[Entry], None]

_waiting: list[tuple[str, Change]] = []  # what could not be written yet


class Book(NamedTuple):
    """A file: what a hand-in says of itself, its cards, and the numbers of damaged lines."""

    head: dict[str, Any]
    cards: dict[str, Entry]
    damaged: list[int]


def place() -> Path | None:
    """The file beside the notebook of this kernel; None if nothing is to be kept."""
    notebook = Path(os.environ.get(SESSION, ""))
    opened = notebook.suffix == ".ipynb" and notebook.parent.name != SOLUTIONS
    return notebook.absolute().with_name(FILE) if opened else None


def read(file: Path) -> Book:
    """What stands in a progress file or a hand-in; nothing if there is none.  Raises OSError."""
    book = Book({}, {}, [])
    content = file.read_bytes() if file.exists() else b""
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            entry = json.loads(line)
            if "hand_in" in entry:
                book.head.update(entry)
            elif isinstance(entry["card"], str) and all(_counts(entry[n]) for n in NUMBERS):
                book.cards[entry["card"]] = entry
            else:
                book.damaged.append(number)
        except (ValueError, LookupError, TypeError, RecursionError):
            book.damaged.append(number)
    return book


def _counts(value: object) -> bool:
    return type(value) is int and value >= 0


def _lines(*lines: dict[str, Any]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


# -- what a card does


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


def answered(
    key: str, said: Any, code: bool, right: bool | None, wrong: bool, unlocked: bool
) -> str:
    """Keep an answer; a sentence if that failed."""
    now = int(time.time())

    def change(entry: Entry) -> None:
        if not entry["tries"]:
            entry.update(first=said, first_at=now, right=right)
        entry.update(last=said, at=now, code=code, unlocked=unlocked)
        entry["tries"] += 1
        entry["wrong"] += wrong

    return _keep(key, change)


def forgotten(key: str) -> str:
    """The card comes up open again; its first answer stays on record."""
    return _keep(key, lambda entry: entry.update(last=None, unlocked=False))


def hinted(key: str, number: int) -> str:
    """Keep how many hints were read."""
    return _keep(key, lambda entry: entry.update(hints=max(number, entry["hints"])))


def packed(answer: Any) -> Any:
    """An answer as JSON can hold it, its texts cut; None if it can't."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict) and all(isinstance(name, str) for name in value):
            return {name: plain(member) for name, member in value.items()}
        if isinstance(value, list | tuple):
            return [plain(member) for member in value]
        return _cut(value) if isinstance(value, str) else value

    try:
        found = plain(answer)
        return found if len(json.dumps(found)) <= ANSWER_MAX else None
    except (TypeError, ValueError, RecursionError):
        return None


def _cut(text: str) -> str:
    whole = text.encode(errors="replace").decode()  # half a character can't be shown later
    return whole if len(whole) <= TEXT_MAX else whole[:TEXT_MAX] + " …"


def cell() -> str:
    """The text of the cell that runs, for an answer that is code."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return _cut(str(shell.user_ns["In"][-1])) if shell is not None else ""


# -- the file


def _keep(key: str, change: Change) -> str:
    file = place()
    if file is None or not key:
        return ""
    _waiting.append((key, change))
    return _store(file)


def _store(file: Path) -> str:
    """Write what waits; a sentence if that failed, or if a damaged file was set aside."""
    try:
        with _locked(file.with_name(LOCK)):
            for rest in file.parent.glob(f".{FILE}.*.part"):  # a kernel was killed over it
                rest.unlink()
            book, told = read(file), ""
            if book.damaged:
                aside = _free(file)
                write_whole(aside, file.read_bytes())
                lines = ", ".join(map(str, book.damaged[:5]))
                told = f"{FILE} was damaged (line {lines}) and is set aside as {aside.name}."
            for key, change in _waiting:
                new = {"card": key, **dict.fromkeys(NUMBERS, 0)}
                change(book.cards.setdefault(key, new))
            write_whole(file, _lines(*book.cards.values()))
            _waiting.clear()
            return told
    except OSError as error:
        why = f"{FILE} can't be written, {error.strerror or error}"
        return f"Not kept on disk: {why}. Go on; the next answer tries it again."


def _free(file: Path) -> Path:
    names = (file.with_name(f"{file.stem}.damaged-{n}{file.suffix}") for n in range(1, 10_000))
    return next(name for name in names if not name.exists())


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


# -- what is handed in


def hand_in(book: Book, name: str, folder: Path, version: str) -> Path:
    """Write what was answered into one file with this name; raises UserError."""
    safe = re.sub(r"\W+", "-", name).strip("-")[:60]
    if not safe:
        raise UserError(f"{name!r} is no name to hand in under: it needs a letter or a digit")
    target = folder / f"hand-in-{safe}.jsonl"
    try:
        if target.exists() and read(target).head.get("hand_in") != name:
            raise UserError(f"{target} is of somebody else; move it, or choose another name")
        head = {"hand_in": name, "made": int(time.time()), "mmsim": version}
        write_whole(target, _lines(head, *book.cards.values()))
    except OSError as error:
        raise UserError(f"{target} can't be written: {error.strerror or error}") from error
    return target
