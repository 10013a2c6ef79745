"""A sweep: ordered, taken up again, and a failed point does not take the others along."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from mmsim import sweep
from mmsim.errors import UserError
from mmsim.grid import Point

GRID = {"a": (3, 1, 2), "b": ("x", "y")}
ORDERED = [{"a": a, "b": b} for a in (3, 1, 2) for b in ("x", "y")]


def late_first(a, b):
    """The points that are asked first are ready last."""
    time.sleep(0.02 * a)
    return f"{a}{b}"


def fails_at_one(a, b):
    if a == 1:
        raise ValueError(f"not at {b}")
    return a


def dies_at_one(a, b):
    if a == 1:
        os._exit(1)
    return a


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def cluster():
    """A scheduler and a worker of dask, in this process, as `Client.get_executor()` gives them."""
    from distributed import Client, LocalCluster  # each of the processes would import it, too

    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0"
        ) as made,
        Client(made) as client,
        client.get_executor() as executor,
    ):
        yield executor


@pytest.mark.slow
@pytest.mark.parametrize("where", ["here", "cluster", "processes"])
def test_points_come_in_order_and_what_fails_is_told_and_kept_apart(
    where, request, capsys, tmp_path
):
    executor = request.getfixturevalue(where) if where != "here" else None
    assert sweep(late_first, GRID, executor) == [Point(at, f"{at['a']}{at['b']}") for at in ORDERED]
    assert capsys.readouterr().err == ""
    made = sweep(fails_at_one, GRID, executor)
    assert [point.value for point in made] == [3, 3, None, None, 2, 2]
    errors = [point.error for point in made if point.error]
    assert errors == ["ValueError: not at x", "ValueError: not at y"]
    told = "2 of 6 points failed, the first at a=1, b=x: ValueError: not at x\n"
    assert capsys.readouterr().err == told
    if where == "processes":
        file = tmp_path / "known.json"
        sweep(dies_at_one, {**GRID, "a": (3,)}, file=file)
        for _ in range(2):  # the second time nothing can be handed to it any more
            points = sweep(dies_at_one, GRID, executor, file=file)
            assert [point.value for point in points[:2]] == [3, 3]
            assert "BrokenProcessPool" in points[2].error
        assert "points failed" in capsys.readouterr().err


KILLED = """
import sys, time
from mmsim import sweep
def called(a, b):
    with open(sys.argv[2], "a") as log:
        log.write(f"{a}{b} ")
    if a == 2 and sys.argv[3] == "hangs":
        time.sleep(3600)
    return [a, b]
print(sweep(called, {"a": (3, 1, 2), "b": ("x", "y")}, file=sys.argv[1]))
"""


def test_a_killed_sweep_goes_on_where_it_was(tmp_path):
    file, log = tmp_path / "known.json", tmp_path / "called"
    words = [sys.executable, "-c", KILLED, str(file), str(log)]
    with subprocess.Popen([*words, "hangs"]) as first:
        while not (log.exists() and "2x" in log.read_text()):
            assert first.poll() is None
        first.send_signal(signal.SIGKILL)
    kept = len(json.loads(file.read_text())["values"])
    assert 0 < kept <= 4
    done = subprocess.run([*words, "ends"], capture_output=True, text=True, check=True)
    assert len(log.read_text().split()) == 5 + 6 - kept
    assert done.stdout.strip() == str([Point(at, [at["a"], at["b"]]) for at in ORDERED])
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


ASKED = []


def odd(n):
    ASKED.append(n)
    return {0: (0,), 1: {1}}.get(n) or 1 / (n - 2)  # a set is nothing that JSON has


def test_values_are_told_apart_by_how_they_are_written():
    assert [point.value for point in sweep(str, {"object": (1, 1.0, 1)})] == ["1", "1.0"]


def test_failed_points_are_called_again_and_others_are_not(tmp_path):
    file = tmp_path / "known.json"
    ASKED.clear()
    first = sweep(odd, {"n": (0, 1, 2, 3)}, file=file)
    errors = [point.error.partition(":")[0] for point in first]
    assert errors == ["", "TypeError", "ZeroDivisionError", ""]
    assert [point.value for point in first] == [[0], None, None, 1.0]
    again = sweep(odd, {"n": (0, 1, 2, 3, 4)}, file=file)
    assert ASKED == [0, 1, 2, 3, 1, 2, 4]
    assert [point.value for point in again] == [[0], None, None, 1.0, 0.5]


def test_what_can_not_be_used_gets_one_sentence_and_a_file_of_others_is_left_alone(tmp_path):
    file = tmp_path / "known.json"
    for content, told in (
        ("{", "is not the file of a sweep"),
        ("[]", "is not the file of a sweep"),
        ('{"function": "f", "values": 1}', "is not the file of a sweep"),
        ('{"function": "other.f", "values": {}}', "is of other.f, not of"),
    ):
        file.write_text(content)
        with pytest.raises(UserError, match=told):
            sweep(late_first, GRID, file=file)
        assert file.read_text() == content
    for grid, told in (
        ([1, 2], "a grid is a table"),
        ({1: [2]}, "a name in a grid is a text, not 1"),
        ({"a": 5}, r"'a' has to have a list of values: write \[5\], not 5"),
        ({"a": [1], "b": "v2"}, r"'b' has to have a list of values: write \['v2'\], not 'v2'"),
        ({"a": b"v2"}, "'a' has to have a list of values"),
    ):
        with pytest.raises(UserError, match=told):
            sweep(late_first, grid)
    with pytest.raises(UserError, match="can't be written"):
        sweep(late_first, GRID, file=Path(__file__) / "known.json")
    assert sweep(late_first, {"a": []}) == []


class Doubling:
    def method(self, a):
        return 2 * a

    __call__ = method


@pytest.mark.parametrize(
    "function",
    [lambda a: a, partial(late_first, b=1), Doubling(), Doubling().method],
    ids=["lambda", "partial", "an object", "method"],
)
def test_a_file_is_for_a_function_with_a_name_of_its_own(function, tmp_path):
    """Another one of the same name would get the answers of the first."""

    def inner(a):
        return function(a)

    for nameless in (function, inner):
        with pytest.raises(UserError, match="write it with def, outside of other functions"):
            sweep(nameless, {"a": [0]}, file=tmp_path / "known.json")
        assert len(sweep(nameless, {"a": [0]})) == 1
    assert [*tmp_path.iterdir()] == []


def test_it_works_without_tqdm_and_has_a_bar_with_it(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    grid = {"a": (0, 0.1), "b": (1,)}
    assert len(sweep(late_first, grid)) == 2
    assert "2/2" in capsys.readouterr().err
    sweep(late_first, grid, bar=False)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    assert len(sweep(late_first, grid)) == 2
    assert capsys.readouterr().err == ""
