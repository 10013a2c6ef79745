"""A policy of one's own: what a learner may hand in, and what is said of it."""

from __future__ import annotations

import itertools

import pytest

from mmsim.mm.policies import Attempt
from mmsim.mm.versions import V3FIX, own_policy
from mmsim.sandbox import SandboxError
from mmsim.scenarios import make, vfio_map

ATTEMPT = Attempt("piece", "-EAGAIN", "longterm_pin", 1, "give up")


class Mute:
    """It has no text."""

    def __str__(self):
        raise LookupError

    __repr__ = __str__


def raises(attempt):
    return attempt.tires


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
        (raises, "the policy raised AttributeError"),
        (lambda attempt: Mute(), "and returned a Mute for a "),
        (lambda attempt: itertools.repeat("wait"), "and returned repeat('wait')"),
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
    with pytest.raises(SandboxError) as told:
        runs(decide)
    assert says in str(told.value)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 250


def test_a_policy_that_changes_its_mind_is_asked_once():
    answers = iter(["wait", "drain"])
    policy = own_policy(lambda attempt: next(answers)).policy
    assert [policy(ATTEMPT) for _ in range(5)] == ["wait"] * 5
