"""A policy of one's own: what a learner may hand in, and what is said of it."""

from __future__ import annotations

import itertools
import linecache
import sys
from contextlib import suppress
from pathlib import Path
from textwrap import indent

import pytest

import mmsim
from mmsim.mm.policies import Attempt
from mmsim.mm.versions import V3FIX, own_policy
from mmsim.sandbox import CALL_STEPS, STEPS_MAX, SandboxError, limited
from mmsim.scenarios import make, vfio_map

ATTEMPT = Attempt("piece", "-EAGAIN", "longterm_pin", 1, "give up")


# Far longer than the limit, but not for ever: without a limit a test has to fail, not to hang.
LONG = range(2 * STEPS_MAX)


def loops(attempt):
    number = 0
    for _ in LONG:
        try:
            number += 1
        except Exception:
            return "give up"


def loops_on_one_line(attempt):
    for _ in LONG: pass  # fmt: skip # noqa: E701


def raises(attempt):
    return attempt.tires


def recurses(attempt):
    return recurses(attempt)


def swallows(attempt):
    while True:
        try:
            attempt = attempt.tires
        except:  # noqa: E722
            attempt = None


def swallowing(handled):
    """A loop that catches everything; with an end, so that a test of it can fail."""
    text = f"def swallows(attempt):\n    for _ in range({len(LONG)}):\n{indent(handled, ' ' * 8)}\n"
    name = f"<{handled}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    exec(compile(text, name, "exec"), names := {"suppress": suppress})
    return names["swallows"]


SWALLOWED = [
    "try: attempt.tires\nexcept BaseException: pass",
    "try: attempt.tires\nexcept (KeyError, BaseException) as error:\n    if not error.args: raise",
    "try: attempt.tires\nexcept BaseException as error:\n    if error.args: continue\n    raise",
    "try: attempt.tires\nexcept:\n    raise ValueError",
    "try: attempt.tires\nexcept:\n    def again(): raise",
    "with suppress(KeyError, BaseException): attempt.tires",
]


class Mute(BaseException):
    """It has no text, and `except Exception` does not catch it."""

    def __str__(self):
        raise self

    __repr__ = __str__


def is_mute(attempt):
    raise Mute


def runs(decide):
    return vfio_map(own_policy(decide), order=2, released=3).run()


def test_a_function_takes_the_place_of_the_seam():
    tried = runs(lambda attempt: "try again" if attempt.tries < 2 else "give up")
    assert tried.results["pin"] == -12
    assert tried.last.world.vmstat["thp_split_page_failed"] == 2
    assert runs(lambda attempt: "try again").results["pin"] == 4
    row = own_policy(lambda attempt: attempt.usual)
    assert row == V3FIX._replace(name="own", title=row.title, policy=row.policy)
    assert make("vfio_map", row).version == row


@pytest.mark.parametrize(
    ("decide", "says"),
    [
        (loops, f"stopped after {STEPS_MAX:,} steps in line "),
        (loops_on_one_line, "(for _ in LONG: pass"),
        (raises, "the policy raised AttributeError"),
        (raises, "(return attempt.tires)"),
        (recurses, "the policy raised RecursionError"),
        (swallows, "catches every exception in line "),
        *((swallowing(handled), "catches every exception in line ") for handled in SWALLOWED),
        (swallowing("try: attempt.tires\nexcept:\n    1\n    raise"), "raised AttributeError"),
        (is_mute, "the policy raised Mute: a Mute"),
        (lambda attempt: Mute(), "and returned a Mute for a "),
        (lambda attempt: itertools.repeat("wait"), "and returned repeat('wait')"),
        (lambda attempt: sys.exit(3), "the policy raised SystemExit: 3"),
        (lambda: "give up", "the policy raised TypeError"),
        (lambda attempt: None, "must return one of 'give up', 'try again', 'drain', 'wait'"),
        (lambda attempt: True, "and returned True"),
        (lambda attempt: ["drain"], "and returned ['drain']"),
        (lambda attempt: "retry", "returned 'retry'; there are: give up, try again"),
        (lambda attempt: "try_again", "did you mean 'try again'"),
        (lambda attempt: "x" * 1000, "the policy returned 'xxxx"),
        ("wait", "a policy is a function of an attempt, not str"),
    ],
)
def test_what_goes_wrong_is_one_sentence(decide, says):
    before = sys.gettrace()
    with pytest.raises(SandboxError) as told:
        runs(decide)
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


def test_a_policy_that_changes_its_mind_is_asked_once():
    answers = iter(["wait", "drain"])
    policy = own_policy(lambda attempt: next(answers)).policy
    assert [policy(ATTEMPT) for _ in range(5)] == ["wait"] * 5
