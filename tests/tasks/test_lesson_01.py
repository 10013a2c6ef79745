"""What the tasks of lesson 01 say to answers that are nearly right, or far from it."""

from __future__ import annotations

import pytest
from answers import (
    FADED,
    RIGHT,
)

from mmsim import checks
from mmsim.checks import check, judge
from mmsim.practice.benches import leak_hunt, workbench
from mmsim.practice.cases import cases, expected_and_actual, folios
from mmsim.scenarios import vfio_map


def test_the_whole_ledger_is_told_at_the_second_wrong_answer(capsys):
    checks.ANSWERED.discard("01.faded")
    wrong = {**FADED, "mappings": 4}
    check("01.faded", wrong)
    assert "ledger: page cache" not in capsys.readouterr().out
    check("01.faded", wrong)
    assert "mappings: the model has 3\nwhole ledger: page cache 512" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"seed": 9, "holder": "guest", "step": 1}, "its allocation's reference is the mapping's"),
        ({"seed": 9, "holder": "nobody", "step": 1}, "there is no 'nobody' in this run"),
        ({"seed": 9, "holder": "mincore", "step": 7}, "drops in steps [9, 20]: it balances"),
        ({"seed": 9, "holder": "fault", "step": 8}, "takes in step 8 it drops in step 12"),
        ({"seed": 9, "holder": "fault", "step": 12}, "it takes nothing in step 12"),
        ({"seed": -1, "holder": "fault", "step": 8}, "a seed is a whole number from 0 on"),
    ],
)
def test_a_wrong_leak_is_answered_from_the_run(answer, told):
    verdict = judge("01.leak", answer)
    assert verdict.state == "failed"
    assert told in verdict.why


@pytest.mark.parametrize("seed", range(40))
def test_every_seed_has_one_leak_that_can_be_found(seed):
    """Found here by pairing takes and drops; the judge looks at what the model has left."""
    trace = leak_hunt(seed).run()
    taken = {}
    for step, event in enumerate(trace.events, start=1):
        if event.op.kind.name == "folio_get":
            taken[event.actor] = step
        elif event.op.kind.name == "folio_put":
            del taken[event.actor]
    [(holder, step)] = taken.items()
    assert judge("01.leak", {"seed": seed, "holder": holder, "step": step}).state == "passed"


@pytest.mark.parametrize("seed", range(40))
def test_every_seed_of_the_practice_can_be_added_up(seed):
    drawn = cases(seed)
    answers = {"seed": seed}
    for name, bench in drawn.items():
        k = bench.knobs
        nr = 512 if k["order"] == "9" else 1
        expected = nr * (k["cached"] == "yes") + k["mappings"] + 1
        pin = (1 if nr > 1 else 1024) * (k["pin"] == "yes")
        answers[name] = (expected, expected + k["holders"] + pin)
        assert answers[name] == expected_and_actual(bench)
    assert judge("01.equation", answers).state == "passed"
    assert len({tuple(bench.knobs.items()) for bench in drawn.values()}) == len(drawn)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda folio: folio.refcount, "others: drop_caches"),
        (lambda folio: 513 + folio.mapcount, "a single page of a memfd, mapped by nobody"),
        (lambda folio: 1 + folio.nr_pages + folio.mapcount, "of no file, mapped by guest,"),
        (lambda folio: 1 + folio.nr_pages * folio.cached, "mapped by guest,"),
        (lambda folio: folio.nosuch, "for a single page of a memfd, mapped by nobody"),
        (lambda: 1, "for a single page of a memfd, mapped by nobody"),
        (lambda folio: "many", "for a single page of a memfd, mapped by nobody"),
    ],
)
def test_a_wrong_function_is_shown_the_plainest_page_that_contradicts_it(wrong, told):
    verdict = judge("01.expected_refs", wrong)
    assert verdict.state == "failed"
    assert told in verdict.detail


def test_a_wrong_form_is_not_the_first_wrong_answer(capsys):
    """A list for a pair is an answer; a text is none yet."""
    checks.ANSWERED.discard("01.equation")
    right = RIGHT["01.equation"]
    check("01.equation", {**right, "a": "515, 517"})
    check("01.equation", {**right, "a": [515, 518]})
    said = capsys.readouterr().out
    assert "a should be a list of 2" in said
    assert "actual: not 518" in said
    assert "the model has" not in said


def test_pages_to_try_come_in_an_order_from_plain_to_odd():
    strangers = [bench.knobs["holders"] + 2 * (bench.knobs["pin"] == "yes") for bench in folios()]
    assert strangers == sorted(strangers)
    assert len({tuple(bench.knobs.items()) for bench in folios()}) == len(folios()) > 50


@pytest.mark.parametrize("letter", "abc")
def test_a_wrong_vote_meets_a_page_that_contradicts_it(letter):
    verdict = judge("01.vote", letter)
    assert verdict.state == "failed"
    assert "refcount" in verdict.why or "514" in verdict.why
    assert judge("01.same", workbench(mappings=0, holders=1)).state == "passed"


def test_a_run_is_as_good_as_its_bench():
    assert judge("01.same", RIGHT["01.same"].run()).state == "passed"
    assert "refcount 514 and mapcount 1" in judge("01.same", workbench().run()).why
    for other in (vfio_map(), vfio_map().run(), 514):
        assert judge("01.same", other).why.startswith("the answer should be a page: workbench(")


def test_the_judges_of_lesson_01_run_the_model(monkeypatch):
    """A model in which the cache took one reference for a huge page would change the answers."""
    from mmsim.mm import folio

    monkeypatch.setattr(folio.Folio, "nr_pages", property(lambda self: 1))
    assert judge("01.faded", FADED).state == "failed"
    assert judge("01.equation", RIGHT["01.equation"]).state == "failed"
    assert judge("01.same", RIGHT["01.same"]).state == "failed"
