"""What the tasks of lesson 06 say to answers that are nearly right, or far from it."""

from __future__ import annotations

import pytest
from answers import RIGHT

from mmsim.checks import judge
from mmsim.policy import CALL_STEPS, STEPS_MAX
from mmsim.scenarios import cma_alloc, vfio_map
from mmsim.tasks.lesson_06 import PROMISES, always_again, promise_holds


def counts_refusals(version):
    return cma_alloc(version).run().last.world.vmstat["thp_split_page_failed"] == 1


def loops(version):
    for _ in range(2 * STEPS_MAX // CALL_STEPS):  # without a limit: a failure, and no hang
        vfio_map(version, reason="syscall")


def raises(version):
    return vfio_map(version).run().result


@pytest.mark.parametrize(
    ("test", "state", "says"),
    [
        (counts_refusals, "passed", "v1 fails, base and v2 pass, and every later version, too"),
        (lambda version: version.name != "v1", "failed", "v1 passes it, too"),
        (lambda version: True, "failed", "v1 passes it, too"),
        (lambda version: False, "failed", "base does not pass it, and should"),
        (lambda version: version.ref_errno == -16, "failed", "v2 does not pass it"),
        (lambda version: version.taken_back == 0, "failed", "v1 passes it, too"),
        (lambda version: 1, "failed", "with base it returns 1, not True or False"),
        (lambda version: None, "not attempted", "returns nothing yet"),
        (loops, "failed", "the test was stopped after"),
        (raises, "failed", "AttributeError"),
        (lambda: True, "failed", "TypeError"),
        ("v1", "failed", "hand in the function itself"),
    ],
)
def test_a_regression_test_is_judged_by_what_it_tells_apart(test, state, says):
    verdict = judge("06.regression", test)
    assert verdict.state == state
    assert says in verdict.why


def test_what_is_said_of_a_promise_is_what_the_model_does():
    assert {name: promise_holds(name) for name in PROMISES} == {
        name: holds for name, (holds, _) in PROMISES.items()
    }


def test_remarks_are_sorted_by_their_words():
    told = judge("06.review", RIGHT["06.review"])
    assert "is the explanation right?" in told.detail
    assert "other callers" in told.detail
    assert "evidence" not in told.detail
    assert judge("06.review", "a text").state == "failed"


def test_the_same_remark_three_times_is_one():
    told = judge(
        "06.review", ["Who else calls this function?", "who else  calls this function?"] * 2
    )
    assert told.state == "failed"
    assert told.why.endswith("these are 1")


@pytest.mark.parametrize("pin", ["ENOMEM", " -enomem"])
def test_an_error_code_may_be_written_without_its_sign(pin):
    assert judge("06.code", {"refused": 10, "pin": pin}).state == "passed"
    assert judge("06.code", {"refused": 10, "pin": "EBUSY"}).state == "failed"


def test_always_trying_again_ends_in_a_fault_where_the_page_has_left_its_file():
    gone = vfio_map(always_again().version, stranger=0, trouble="truncated").run()
    assert gone.results["pin"] == -14
    assert always_again().run().last.world.vmstat["thp_split_page_failed"] == 10
