"""A function at every point of a grid: here, on all processors, or on many machines."""

from __future__ import annotations

import inspect
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, as_completed
from contextlib import suppress
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from mmsim.datafiles import write_whole
from mmsim.errors import UserError, shown


class Point(NamedTuple):
    """One point of a grid: the arguments, what the function returned, or why it failed."""

    at: dict[str, Any]
    value: Any = None
    error: str = ""


def sweep(
    function: Callable[..., Any],
    grid: Mapping[str, Iterable[Any]],
    executor: Executor | None = None,
    *,
    file: str | Path | None = None,
    bar: bool = True,
) -> list[Point]:
    """Call `function(name=value, ...)` for all combinations; the points in the order of the grid.

    `grid`: names and their values; the last name changes quickest.  `executor`: any of
    `concurrent.futures`, or that of another library; the function must then stand in a module.
    Without one it is called here.  `file`: what is known is kept there as JSON, and not asked again
    when the sweep is called once more.  It knows the function by its name, which has to be its own:
    name another file for a function that you have changed.  `bar`: a progress bar, if tqdm is
    installed.

    A call that raises makes a point with an `error`; the others go on, and it is called again next
    time.  Raises UserError for a grid or a file that can't be used."""
    if not isinstance(grid, Mapping):
        raise UserError("a grid is a table of names and values, such as {'passes': [1, 10]}")
    values = [_values(name, given) for name, given in grid.items()]
    ats = (dict(zip(grid, chosen, strict=True)) for chosen in product(*values))
    calls = {repr(at): partial(function, **at) for at in ats}
    known = _Known(function, Path(file)) if file is not None else None
    found = {key: (known.values[key], "") for key in calls if known and key in known.values}
    todo = {key: call for key, call in calls.items() if key not in found}
    answers = iter(todo.items()) if executor is None else _there(todo, executor)
    if bar:
        with suppress(ImportError):
            from tqdm.auto import tqdm

            answers = iter(tqdm(answers, total=len(todo), disable=None))
    try:
        for key, answer in answers:
            try:
                found[key] = (known.keep(key, answer()) if known else answer()), ""
            except Exception as error:
                found[key] = None, f"{type(error).__name__}: {error}"
            if known and time.monotonic() >= known.due:
                known.write()
    finally:
        if known:
            known.write()
    points = [Point(call.keywords, *found[key]) for key, call in calls.items()]
    if failed := [point for point in points if point.error]:
        first = ", ".join(f"{name}={value}" for name, value in failed[0].at.items())
        told = f"points failed, the first at {first}: {failed[0].error}"
        print(f"{len(failed)} of {len(points)} {told}", file=sys.stderr)
    return points


def _values(name: object, given: object) -> list[Any]:
    """The values of one name, each once."""
    if not isinstance(name, str):
        raise UserError(f"a name in a grid is a text, not {shown(name)}")
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        told = shown(given, quoted=True)
        raise UserError(f"{name!r} has to have a list of values: write [{told}], not {told}")
    return [*{repr(value): value for value in given}.values()]


Answers = Iterator[tuple[str, Callable[[], Any]]]  # asked for, an answer is a value or raises


def _there(todo: Mapping[str, partial[Any]], executor: Executor) -> Answers:
    """What was handed out, as it comes back; in the end what has not begun is taken back."""
    futures: dict[Future[Any], str] = {}
    try:
        for key, call in todo.items():
            try:
                future = executor.submit(call)
            except RuntimeError as error:  # it is shut down, or one of its workers has died
                future = Future()
                future.set_exception(error)
            futures[future] = key
        yield from ((futures[future], future.result) for future in as_completed(futures))
    finally:
        for future in futures:
            future.cancel()


class _Known:
    """What a file knows of a sweep.  It is replaced as a whole, so it is never half written."""

    def __init__(self, function: Callable[..., Any], file: Path) -> None:
        called = getattr(function, "__qualname__", "<none>")
        if "<" in called or inspect.ismethod(function):
            raise UserError(
                "a file knows a function by its name, and this one has none of its own: "
                "write it with def, outside of other functions and of classes, or leave file= out"
            )
        self.function, self.file = f"{function.__module__}.{called}", file
        self.values: dict[str, Any] = {}
        self.due = 0.0  # when to write again: writing may take a tenth of the time
        if not file.exists():
            return
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            written_for, self.values = content["function"], dict(content["values"])
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(f"{file} is not the file of a sweep; name another one") from None
        if written_for != self.function:
            raise UserError(f"{file} is of {written_for}, not of {self.function}; name another one")

    def keep(self, key: str, value: Any) -> Any:
        """The value as the file gives it back."""
        self.values[key] = json.loads(json.dumps(value))
        return self.values[key]

    def write(self) -> None:
        """Write all that is known."""
        begin = time.monotonic()
        content = {"function": self.function, "values": self.values}
        try:
            write_whole(self.file, (json.dumps(content, indent=1) + "\n").encode())
        except OSError as error:
            raise UserError(f"{self.file} can't be written: {error.strerror}") from None
        self.due = time.monotonic() + 10 * (time.monotonic() - begin)
