"""A learner's function is stopped, whatever it does, and one sentence says what went wrong."""

from __future__ import annotations

import itertools
import linecache
import sys
from contextlib import suppress
from pathlib import Path
from textwrap import indent

import pytest

import mmsim
from mmsim.sandbox import CALL_STEPS, STEPS_MAX, SandboxError, limited
from mmsim.scenarios import vfio_map

# Far longer than the limit, but not for ever: without a limit a test has to fail, not to hang.
LONG = range(2 * STEPS_MAX)


def loops():
    for _ in LONG:
        try:
            pass
        except Exception:
            return


def loops_on_one_line():
    for _ in LONG: pass  # fmt: skip # noqa: E701


def raises():
    return LONG.tires


def recurses():
    return recurses()


def swallows():
    while True:
        try:
            raises()
        except:  # noqa: E722
            continue


def swallowing(handled):
    """A loop that catches everything; with an end, so that a test of it can fail."""
    text = f"def swallows():\n    for _ in range({len(LONG)}):\n{indent(handled, ' ' * 8)}\n"
    name = f"<{handled}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    exec(compile(text, name, "exec"), names := {"suppress": suppress})
    return names["swallows"]


SWALLOWED = [
    "try: 1 / 0\nexcept BaseException: pass",
    "try: 1 / 0\nexcept (KeyError, BaseException) as error:\n    if not error.args: raise",
    "try: 1 / 0\nexcept BaseException as error:\n    if error.args: continue\n    raise",
    "try: 1 / 0\nexcept:\n    raise ValueError",
    "try: 1 / 0\nexcept:\n    def again(): raise",
    "with suppress(KeyError, BaseException): 1 / 0",
]


class Mute(BaseException):
    """It has no text, and `except Exception` does not catch it."""

    def __str__(self):
        raise self

    __repr__ = __str__


def is_mute():
    raise Mute


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (loops, f"was stopped after {STEPS_MAX:,} steps in line "),
        (loops_on_one_line, "(for _ in LONG: pass"),
        (raises, "raised AttributeError: 'range' object has no attribute 'tires' in line "),
        (raises, "(return LONG.tires)"),
        (recurses, "raised RecursionError"),
        (swallows, "catches every exception in line "),
        *((swallowing(handled), "catches every exception in line ") for handled in SWALLOWED),
        (swallowing("try: 1 / 0\nexcept:\n    1\n    raise"), "raised ZeroDivisionError"),
        (is_mute, "raised Mute: a Mute"),
        (lambda: sys.exit(3), "raised SystemExit: 3"),
        (lambda one: one, "raised TypeError"),
        (lambda: limited("thing", raises), "raised AttributeError"),  # one inside the other
    ],
)
def test_what_goes_wrong_is_one_sentence(function, says):
    before = sys.gettrace()
    with pytest.raises(SandboxError) as told:
        limited("thing", function)
    assert str(told.value).count("the thing ") == 1
    assert says in str(told.value)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 250
    assert sys.gettrace() is before


def one_instruction():
    while True: pass  # fmt: skip # noqa: E701


def the_model_on_one_line():
    return [vfio_map("base") for _ in LONG]


def the_model_from_the_library():
    return all(map(vfio_map, itertools.repeat("base", len(LONG))))


def a_tower_of_generators():
    yield vfio_map("base")
    yield from a_tower_of_generators()


@pytest.mark.parametrize(
    "endless",
    [
        one_instruction,
        the_model_on_one_line,
        the_model_from_the_library,
        lambda: list(a_tower_of_generators()),
    ],
)
def test_a_loop_without_an_end_is_stopped_in_whatever_shape(endless):
    with pytest.raises(SandboxError, match="the thing was stopped after 50,000 steps"):
        limited("thing", endless, steps_max=50_000)


def test_a_file_beside_the_package_is_the_learner_s():
    """The folder of the package is where the model lies, not what its name begins with."""
    beside = f"{Path(mmsim.__file__).parent}_mine.py"
    exec(compile(f"def loops():\n for _ in {LONG}: pass\n", beside, "exec"), names := {})
    with pytest.raises(SandboxError, match="the thing was stopped after"):
        limited("thing", names["loops"])


@pytest.mark.parametrize("before", range(4))
def test_no_exception_comes_out_of_a_path_that_is_thrown_away(before, monkeypatch):
    """A path that has begun is closed when nobody needs it any more: that is no call."""
    ignored = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    path = vfio_map("base").actors[0].start

    def throws_away():
        for _ in range(before):
            path()
        for _ in LONG:
            next(path())

    with pytest.raises(SandboxError, match="was stopped after"):
        limited("thing", throws_away, steps_max=50_000)
    assert ignored == []


def test_what_the_model_does_inside_a_call_is_not_counted():
    limited("thing", lambda: vfio_map(order=3, released=3).run(), steps_max=3 * CALL_STEPS)
    with pytest.raises(SandboxError, match=r"in line \d+ \(return \[vfio_map"):
        limited("thing", the_model_on_one_line, steps_max=50_000)
