"""Policies tried in the same cases, and the scenario that one of the cases is."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mmsim.mm.versions import LATEST, POLICIES, VERSIONS
from mmsim.policy import PolicyError, own_policy
from mmsim.practice.trials import CASES, STEPS_MAX, others_notice, score
from mmsim.scenarios import lru_batch
from mmsim.scenarios.situation import SINGLE
from mmsim.views.scores import policy_scores

# -- a page in a batch


@pytest.mark.parametrize("version", [*VERSIONS, "subpage_retry", "wait"])
def test_a_page_in_a_batch_that_keeps_its_flag_stays(version):
    situation = lru_batch(version)
    run = situation.run()
    assert situation.outcome(run.last) == SINGLE
    moves = [event for event in run.events if event.op.kind.name == "folio_expected_refs"]
    assert len(moves) == 10 + 1  # the page in the batch in every pass, the other one once
    assert run.last.world.vmstat["pgmigrate_fail"] == 1


@pytest.mark.parametrize("version", [*VERSIONS, *POLICIES])
@pytest.mark.parametrize("batch", ["lru_add", "none"])
def test_a_page_without_the_flag_is_drained_by_the_pin_itself(version, batch):
    run = lru_batch(version, batch=batch).run()
    assert run.results["pin"] == 2
    drains = [event for event in run.events if event.op.kind.name == "lru_add_drain_all"]
    assert len(drains) == (batch == "lru_add")


def test_a_drain_is_what_helps():
    run = lru_batch("drain", pages=8).run()
    assert run.results["pin"] == 8
    run.last.world.check()
    assert {cpu for cpu, _ in run.last.world.batches} <= {"pin"}


@pytest.mark.parametrize("pages", range(1, 9))
def test_what_is_drained_or_not_holds_together(pages):
    for version in ("v2", "drain"):
        for _, state in lru_batch(version, pages=pages, passes=2).explore().walk():
            state.world.check()


# -- the trials


def test_the_newest_version_loses_in_every_case():
    assert score("base", "visit").odds == 0
    for name, case in CASES.items():
        found = score(LATEST, name)
        assert found.odds < 1, case.what
        assert found.drains == 0
    assert 0 < score(LATEST, "drop_caches").odds < score(LATEST, "visit").odds


@pytest.mark.parametrize("name", POLICIES)
def test_no_policy_is_worse_than_none(name):
    for case in CASES:
        assert score(name, case).odds >= score(LATEST, case).odds
    assert others_notice(name) == []


def test_each_policy_has_its_case():
    assert score("drain", "batch").odds == 1
    assert score("wait", "batch").odds == score("subpage_retry", "batch").odds == 0
    assert score("wait", "visit").odds > score("drain", "visit").odds
    assert score("wait", "never").steps > score("drain", "never").steps
    assert score("drain", "never").steps <= STEPS_MAX < score("wait", "never").steps


def test_the_case_that_cannot_be_won():
    for name in (LATEST.name, *POLICIES):
        assert score(name, "never").odds == 0


def test_others_notice_a_policy_that_does_not_ask_for_the_reason():
    row = own_policy(lambda attempt: "try again")
    assert {"contig_range", "compaction", "syscall"} <= {*others_notice(row)}
    assert others_notice(own_policy(lambda a: a.usual)) == []


def test_odds_are_exact():
    assert isinstance(score(LATEST, "visit").odds, Fraction)
    assert score(own_policy(lambda a: a.usual), "visit") == score(LATEST, "visit")


def test_the_table_has_a_column_for_ones_own():
    table = policy_scores(lambda attempt: attempt.usual)
    assert table["yours"].tolist() == table[LATEST.name].tolist()
    assert [*table.index[:-1]] == [*CASES]
    assert "yours" not in policy_scores().columns


def test_a_policy_that_goes_wrong_is_a_sentence():
    said = policy_scores(lambda attempt: attempt.tires)
    assert said.startswith("The policy raised AttributeError")
    with pytest.raises(PolicyError):
        score(own_policy(lambda attempt: "retry"), "visit")
