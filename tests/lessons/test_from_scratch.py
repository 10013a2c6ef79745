"""Lesson 12: the finished page against every vector that fits, and what wrong pages are told."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from mmsim import datafiles
from mmsim.evidence.own_model import expectation, fitting, run_case, vectors
from mmsim.evidence.vectors import load
from mmsim.lessons import FOLDER
from mmsim.lessons import from_scratch as lesson
from mmsim.lessons.card import Card
from mmsim.lessons.from_scratch import Step, finished, ours, page_of_code
from mmsim.mm.versions import VERSIONS
from mmsim.widgets.card import CardBox

CARDS = [card for card in vars(lesson).values() if isinstance(card, Card)]
STEPS = [card for card in CARDS if isinstance(card, Step)]
TEXT = (FOLDER / "from_scratch.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def all_open():
    for card in CARDS:
        card.forget()
    yield
    for card in CARDS:
        card.forget()


def changed(old, new):
    """The names of the finished page with one place changed."""
    code = page_of_code()
    assert code.count(old) == 1, old
    names = {}
    exec(compile(code.replace(old, new), "a page with a mistake", "exec"), names)
    return names


def handed(card, names):
    """The card with these functions handed in, and everything that it needs answered rightly."""
    for need in card.needs:
        need.solved()
    found = [names[name] for name in card.form.split(", ")]
    return card.answer(*found)


# -- the finished page


@pytest.mark.parametrize("group", ["refcount", "split", "migrate_pages", "gup"])
def test_the_finished_page_agrees_with_every_vector_that_fits(group):
    """In base, with the three seams, and in v1, whose loop returns the error of the split."""
    names, compared = finished(), 0
    v1 = names["patched"]._replace(rc_after_split=lambda rc, ret: ret)
    kernels = {"base": names["base"], lesson.PATCHED: names["patched"]}
    kernels |= {"v1": v1} if group == "migrate_pages" else {}
    for vector in vectors(group).values():
        for version, kernel in kernels.items():
            case = run_case(group, vector, version, names, kernel)
            assert case is None or case.wrong == [], vector["id"]
            compared += case is not None
    assert compared == {"refcount": 32, "split": 20, "migrate_pages": 129, "gup": 25}[group]


def test_what_does_not_fit_needs_something_that_is_left_out():
    left = set()
    for group in ("refcount", "split", "gup"):
        every = load(datafiles.path(f"conformance/{group}.json"))["vectors"]
        left |= {vector["id"] for vector in every if not fitting(vector)}
    # A batch, a split; writeback, no memory, the zero page; isolation.
    assert {"A1a", "A12", "B3", "B7", "B8", "B108", "D3", "D7", "D107"} <= left
    for step in STEPS:
        found = [expectation(vectors(step.group)[identity], "base") for identity in step.told]
        assert None not in found


def test_the_official_solution_passes_every_card():
    for card in CARDS:
        card.known = None
        assert card.solved().settled, card
        assert card.wrong == 0


def test_the_numbers_of_the_text():
    assert "mmsim" not in page_of_code()
    counts = [[lesson.ran(k)[1][name] for name in lesson.REPORTED] for k in ("base", "patched")]
    assert counts == [[1, 1], [11, 10]]
    assert [lesson.ran(k)[0] for k in ("base", "patched")] == [-12, -12]
    assert 100 <= lesson.code_lines() <= 135
    real = VERSIONS[lesson.PATCHED]
    found = [lesson.race(real, **knobs).explore().schedules() for knobs in lesson.SEARCHED]
    assert sum(found) == lesson.SCHEDULES
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    assert len(re.findall(r"\S*\w\S*", prose)) <= 1_700
    assert len(re.findall(r"^```python(?! tags=\[.solution)", TEXT, re.MULTILINE)) <= 20


# -- wrong pages

UNMAP = "    page.refcount -= page.mapcount\n    page.mapcount = 0\n"
CHECK = "page.refcount == page.cache + page.mapcount + 1"
FREEZE = "if page.refcount != page.cache + 1:"
REFUSED = "    elif not can_split(page):\n        rc = host.kernel.ref_errno\n"
ONCE = '        n["thp_migration_fail"] += again["huge"]\n'
WRONG = [
    ("counts", "refcount=pages + maps", "refcount=pages", "A1b", "ref should be 2"),
    ("counts", "cache=pages, mapcount=maps, refcount=pages", "cache=1, mapcount=maps, refcount=1",
     "A2", "ref should be 513"),
    ("counts", "refcount=pages + maps", "refcount=pages + 1", "A3", "ref should be 514"),
    ("counts", UNMAP, "    page.mapcount = 0\n", "A9a", "takes its reference along"),
    ("checking", CHECK, "page.refcount == page.cache + 1", "A6", "can_split should be True"),
    ("checking", CHECK, "True", "A7", "nobody can explain"),
    ("checking", CHECK, "page.refcount <= page.cache + page.mapcount + 1", "A2", "Fewer"),
    ("checking", CHECK, "page.refcount == page.pages + page.mapcount + 1", "A10", "no page cache"),
    ("freezing", "    page.refcount = 0\n", "", "A9a", "refcount after freeze should be 0"),
    ("freezing", FREEZE, "if page.refcount < page.cache + 1:", "A9b", "freeze should be False"),
    ("freezing", FREEZE, "if page.refcount != 513:", "A107", "freeze should be True"),
    ("freezing", FREEZE, "if page.refcount != page.cache + page.mapcount + 1:", "A6", "mapped"),
    ("splitting", REFUSED, "", "B2", "before anything is changed"),
    ("splitting", '        if not freeze(page):\n            rc = host.kernel.ref_errno\n',
     "        freeze(page)\n", "B4", "only the freeze can find it"),
    ("splitting", '    host.meanwhile("check", page)\n', "    unmap(page)\n    host.meanwhile("
     '"check", page)\n', "B2", "mapcount of A|ref of A"),
    ("splitting", REFUSED, REFUSED.replace("host.kernel.ref_errno", "-EBUSY"), "B2", "EAGAIN"),
    ("splitting", "    if not page.cache:\n        rc = -EBUSY\n    elif", "    if", "B6", "EBUSY"),
    ("splitting", "        piece.refcount += 1\n", "        pass\n", "B1", "512 × ref 2"),
    ("splitting", "    host.memory[at : at + 1] = made\n", "", "B1", "pages in host.memory"),
    ("passing", "            page.refcount -= 1\n            n[", "            n[", "C1", "ref of"),
    ("passing",
     '            n["pgmigrate_fail"] += page.pages\n            return rc, again\n',
     "            return rc, again\n", "C25", "pgmigrate_fail"),
    ("passing", "                continue\n            busy", "            busy", "C4", ""),
    ("passing", "busy = host.kernel.retry_split(reason, ret)", "busy = ret == -EBUSY", "C8", ""),
    ("passing", "rc = host.kernel.rc_after_split(rc, ret)", "rc = -ENOMEM", "C10|C13", "v1|EBUSY"),
    ("passing",
     '            again["huge" if huge else "single"] += 1\n', '            again["huge"] += 1\n',
     "C23|C4", ""),
    ("moving", "for _ in range(10)", "for _ in range(9)", "C3", "passes should be [10]"),
    ("moving", '            if second:\n                again["single"] = 0\n', "", "C15",
     "passes should be [1, 1], and yours is [1, 10]"),
    ("moving", "    return rc or failed + n", "    return rc or -EAGAIN * bool(todo) or n", "C3",
     "rc should be 1, and yours is EAGAIN"),
    ("moving", ONCE, "", "C3", "rc should be 1"),
    ("moving", "            if second:\n", '            n["pgmigrate_fail"] += again["pages"]\n'
     "            if second:\n", "C22", "pgmigrate_fail should be 0, and yours is 3"),
    ("moving", "    todo[:0] = left + pieces\n", "    todo[:0] = left\n", "C127", "left should be"),
    ("moving", "    todo[:0] = left + pieces\n", "    todo[:0] = pieces\n", "N1", "left should"),
    ("moving", "    n, failed, left, pieces = Counter(), 0, [], []\n",
     "    n, failed, left, pieces = host.vmstat, 0, [], []\n", "C1", "pgmigrate_success"),
    ("pinning", "            return -ENOMEM\n", "            return rc\n", "D4", "results should"),
    ("pinning", "        for page in in_cma:\n            page.refcount += 1\n", "", "D2", ""),
    ("pinning", "            page.refcount -= page.pages\n", "            pass\n", "D2", "512"),
    ("pinning", "        if rc:\n            return -ENOMEM\n", "        if rc < 0:\n"
     "            return -ENOMEM\n", "D4", "results should be"),
    ("patching", "patched = Kernel(-EAGAIN", "patched = Kernel(-EBUSY", "K3", "[10]"),
    ("patching", 'return reason == "longterm_pin" and ret == -EAGAIN', "return ret == -EAGAIN",
     "C13", "contig_range"),
    ("patching", 'return reason == "longterm_pin" and ret == -EAGAIN',
     'return reason == "longterm_pin"', "C10", "truncated page is no reason"),
    ("patching", "retry_split, base.rc_after_split)", "retry_split, lambda rc, ret: ret)", "C10",
     "-ENOMEM|ENOMEM"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "vector", "told"), WRONG)
def test_a_wrong_step_is_shown_the_vector_that_it_fails(name, old, new, vector, told):
    card = handed(getattr(lesson, name), changed(old, new))
    said = "\n".join(card.reply())
    assert card.verdict.state == "failed", said
    assert re.search(rf"[Vv]ector ({vector})\b", said), said
    assert re.search(told.replace("[", r"\["), said), said
    shown = card.given()
    assert "expected" in shown.words
    assert "Before: page cache" in shown.words or name == "checking"
    assert shown.words in repr(card).replace("\n", " ")


def test_each_step_is_tried_with_three_mistakes_and_can_be_mended():
    tried = [name for name, *_ in WRONG]
    assert all(tried.count(step.name) >= 3 for step in STEPS)
    box = CardBox(handed(lesson.checking, changed(CHECK, "True")))
    assert "<img" in box.shown.value  # at the first wrong answer already
    assert "[Picture" not in repr(handed(lesson.checking, finished()))
    assert lesson.checking.settled


# -- garbage


def for_ever(*given):
    while True:
        pass


@pytest.mark.parametrize("card", [card for card in STEPS if card is not lesson.patching],
                         ids=lambda card: card.name)  # fmt: skip
@pytest.mark.parametrize(
    ("odd", "told"),
    [
        (lambda *given: None, "returns nothing|has no|'NoneType'|returned"),
        (lambda *given: 1 / 0, "raised ZeroDivisionError: division by zero in line"),
        (for_ever, "was stopped after .* steps in line .*: does a loop end"),
        (lambda *given: "x", "returned 'x'|has no name"),
        (lambda: 0, "raised TypeError"),
    ],
    ids=["None", "error", "for ever", "text", "arguments"],
)
def test_garbage_gets_a_sentence(card, odd, told, monkeypatch):
    for need in card.needs:
        need.solved()
    monkeypatch.setattr(lesson, "STEPS_MAX", 20_000)
    handed(card, dict.fromkeys(card.form.split(", "), odd))
    assert not card.settled
    assert re.search(told, "\n".join(card.reply())), card.reply()


def test_seams_that_are_none_get_a_sentence():
    lesson.counted.solved()
    for odd in (SimpleNamespace(), lambda: 1, ours()["patched"]._replace(retry_split=None)):
        lesson.patching.answer(odd)
        assert re.search("is None|run lesson.patching|raised", "".join(lesson.patching.reply()))
        assert not lesson.patching.settled


# -- the review


def test_a_page_whose_holder_leaves_before_the_tenth_check_is_split():
    for vector, real in lesson.small_race():
        left = vector["script"]["strangers"][0].get("to", {"pass": 10, "site": "alloc"})
        if vector["operation"]["reason"] == "longterm_pin":
            rescued = (left["pass"], left["site"]) < (9, "site2")
            assert real["counters"]["thp_split_page"] == rescued
            assert (real["counters"]["thp_migration_fail"] <= 10) == rescued


def test_the_review_shows_the_run_in_which_the_models_differ():
    said = repr(handed(lesson.reviewed, changed("for _ in range(10)", "for _ in range(9)")))
    assert "The real model says otherwise" in said
    assert "[Picture: Vector race" in said


def test_the_search_compares_the_seams_in_every_order_of_steps():
    real = VERSIONS[lesson.PATCHED]
    names = ours()["patched"]
    other = lesson.as_row(names._replace(rc_after_split=lambda rc, ret: ret))
    for knobs in lesson.SEARCHED:
        assert lesson.lockstep(lesson.race(lesson.as_row(names), **knobs),
                               lesson.race(real, **knobs)) == ""  # fmt: skip
    knobs = {"reason": "contig_range"}
    assert "migrate" in lesson.lockstep(lesson.race(other, **knobs), lesson.race(real, **knobs))
