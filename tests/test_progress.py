"""What a learner answered is kept, comes back, and is never lost; and the lesson always goes on."""

from __future__ import annotations

import errno
import getpass
import json
import os
import random
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from types import SimpleNamespace

import pytest
from classroom import NAMES, another_kernel, cards_of, class_of
from tool_rule import ROOT

from mmsim import progress
from mmsim.cli import main
from mmsim.lessons import capstone_and_recall as last
from mmsim.lessons import the_report as lesson
from mmsim.lessons import who_holds_this_page
from mmsim.lessons.card import marked
from mmsim.progress import FILE, SESSION, TEXT_MAX, read
from mmsim.views.tally import FILLED
from mmsim.widgets.card import CardBox

sys.path.insert(0, str(ROOT / "tests" / "views"))
from svg_rules import references_are_defined, texts_fit, texts_stand_apart

KILLS = int(os.environ.get("MMSIM_KILLS", "8"))
BETS = (lesson.ranking, lesson.pretest)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A learner's folder, with a notebook open in it; the file that will be there."""
    monkeypatch.setenv(SESSION, str(tmp_path / "00_the_report.ipynb"))
    restart()
    yield tmp_path / FILE
    monkeypatch.delenv(SESSION, raising=False)
    progress._waiting.clear()
    restart()


def restart():
    for name in NAMES:
        another_kernel(*cards_of(name))


def entries(file):
    book = read(file)
    assert book.damaged == []
    return {key.removeprefix("the_report."): entry for key, entry in book.cards.items()}


def said(card):
    """What a notebook shows of a card, in both its forms."""
    return str(card._repr_mimebundle_()["text/plain"])


# -- where anything is kept


@pytest.mark.parametrize("session", ["", "Console 1", "solutions/00_the_report.ipynb"])
def test_nothing_is_kept_or_read_where_nobody_has_opened_a_notebook(file, monkeypatch, session):
    lesson.counted.hint()
    before = file.read_bytes()
    folder = file.parent / "solutions"
    folder.mkdir()
    monkeypatch.setenv(SESSION, session and str(file.parent / session))
    lesson.start.solved()
    lesson.counted.answer("a")
    lesson.counted.forget()
    assert file.read_bytes() == before
    assert list(folder.iterdir()) == []
    assert progress.recall(lesson.counted.key) == ({}, "")


def test_a_solution_that_is_shown_is_no_answer(file):
    lesson.counted.solved()
    assert not file.exists()
    lesson.start.answer("if", "starts", "starts", "starts")
    assert entries(file)["start"]["tries"] == 1


# -- what comes back


@pytest.mark.parametrize("name", NAMES)
def test_a_reopened_lesson_shows_every_answer(file, name):
    cards = cards_of(name)
    for card in cards:
        if card.asks and progress.packed(card.right()) is not None:
            for need in card.needs:
                need.answer(need.right())
            card.answer(card.right())
    kept = [card for card in cards if card.settled and card.asks]
    shown = {card.name: said(card) for card in cards}
    another_kernel(*cards)
    assert not any(card.settled for card in kept)
    assert {card.name: said(card) for card in cards} == shown
    for card in kept:
        assert card.key == f"{name}.{card.name}" + (f".{card.which}" if card.which else "")
        box = CardBox(card)
        assert box.rows.layout.display == "none"
        for part, choice in box.choices.items():
            value = card.stored if card.single else card.stored[part]
            assert str(choice.value) == str(value)


def test_wrong_tries_hints_and_what_they_unlock_come_back(file):
    lesson.start.solved()
    lesson.counted.answer("a").answer("b").hint()
    another_kernel(lesson.start, lesson.counted)
    lesson.start.answer("if", "starts", "starts", "starts")
    shown = said(lesson.counted)
    assert "only c gives all three" in shown
    assert "At first you had said: a" in shown
    lesson.counted.answer("c")
    entry = entries(file)["counted"]
    assert (entry["first"], entry["last"], entry["right"]) == ("a", "c", False)
    assert (entry["tries"], entry["wrong"], entry["hints"]) == (3, 2, 1)
    assert abs(entry["at"] - time.time()) < 600
    assert entries(file)["start"]["right"] is False


def test_a_forgotten_card_comes_up_open_and_its_first_answer_stays(file):
    lesson.pretest.answer([True] * 6)
    lesson.pretest.forget()
    another_kernel(lesson.pretest)
    assert said(lesson.pretest).startswith("○")
    box = CardBox(lesson.pretest.answer([False] * 6))
    another_kernel(lesson.pretest)
    assert said(lesson.pretest).startswith("●")
    box = CardBox(lesson.pretest)
    box.change.click()
    box.choices["users"].value = True
    box.store.click()
    entry = entries(file)["pretest"]
    assert (entry["first"]["ten"], entry["last"]["users"], entry["last"]["ten"]) == (
        True,
        True,
        False,
    )
    assert entry["right"] is None


def test_a_card_whose_need_was_not_kept_stays_open(file):
    lesson.ranking.solved()
    lesson.ruled_out.answer(lesson.fits())
    another_kernel(lesson.ranking, lesson.ruled_out)
    assert "Shown once you have answered" in said(lesson.ruled_out)


def test_each_case_has_its_own_answers(file):
    last.verdict.answer("everything moved")
    last.take(4)
    assert last.verdict.stored is None
    assert "you said" not in said(last.verdict)
    last.verdict.answer("a piece was left")
    last.take(1)
    said(last.verdict)
    assert last.verdict.stored == "everything moved"
    assert {*read(file).cards} == {f"capstone_and_recall.verdict.{n}" for n in (1, 4)}


def test_code_is_kept_as_its_cell_and_the_same_cell_again_is_no_new_try(file, monkeypatch):
    cell = "lesson.page_y(page_with(mappings=0))"
    shell = SimpleNamespace(user_ns={"In": ["", cell]})
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    card = who_holds_this_page.page_y
    for _ in range(2):
        card.answer(who_holds_this_page.page_with(mappings=0))
        another_kernel(card)
    assert f"Handed in earlier: `{cell}`" in said(card)
    (entry,) = entries(file).values()
    assert (entry["tries"], entry["code"], entry["last"]) == (1, True, cell)


def test_a_sentence_is_cut_and_half_a_character_is_shown(file):
    for written in ("x" * 10_000, "\ud800 ümläut ✔"):
        lesson.start.answer(written, "starts", "starts", "starts")
        kept = entries(file)["start"]["last"]["sentence"]
        assert kept == ("x" * TEXT_MAX + " …" if len(written) > 20 else "? ümläut ✔")
    assert progress.packed(list(range(10_000))) is None
    another_kernel(lesson.start)
    assert said(lesson.start).startswith("●")


def test_many_answers_stay_one_line(file):
    for n in range(60):
        lesson.start.answer(f"{n:02}", "starts", "starts", "starts")
        size = size if n else file.stat().st_size  # noqa: F821  from the first answer on
    assert entries(file)["start"]["tries"] == 60
    assert len(file.read_bytes().splitlines()) == 1
    assert file.stat().st_size <= size + 1


# -- nothing is lost


WRITER = """
import sys
from mmsim.lessons import the_report as lesson
own, times = getattr(lesson, sys.argv[1]), int(sys.argv[2])
for n in range(times):
    own.answer(own.right())
    lesson.start.answer(str(n), "starts", "starts", "starts")
    print(n + 1, flush=True)
"""


def writer(file, *words, patch=""):
    env = {**os.environ, SESSION: str(file.with_name("x.ipynb")), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", patch + WRITER, *map(str, words)]
    return subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True)


def test_two_notebooks_at_once_lose_nothing(file):
    pair = [writer(file, name, 40) for name in ("ranking", "pretest")]
    for process in pair:
        process.communicate()
    found = {name: entry["tries"] for name, entry in entries(file).items()}
    assert found == {"ranking": 40, "pretest": 40, "start": 80}


@pytest.mark.parametrize("round_", range(KILLS))
def test_a_kernel_that_is_killed_loses_no_answer_that_it_had_taken(file, round_):
    """MMSIM_KILLS=200 does it 200 times."""
    process, draw = writer(file, "pretest", 10_000), random.Random(round_)
    for _ in range(3):
        told = process.stdout.readline()
    time.sleep(draw.random() * 0.03)  # in the middle of whatever it does then
    process.kill()
    told = [told, *process.communicate()[0].split()][-1]
    assert process.returncode == -signal.SIGKILL
    assert entries(file)["start"]["tries"] >= int(told) >= 3
    lesson.start.answer("on", "starts", "starts", "starts")
    assert [path.name for path in file.parent.iterdir() if path.suffix == ".part"] == []


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_kernel_that_is_killed_in_the_middle_of_writing_leaves_the_old_file(file, call):
    lesson.start.answer("if", "starts", "starts", "starts")
    before = file.read_bytes()
    patch = f"import os, signal\nos.{call} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    process = writer(file, "pretest", 1, patch=patch)
    assert process.communicate()[0] == ""
    assert file.read_bytes() == before
    lesson.pretest.answer([True] * 6)
    assert {*entries(file)} == {"start", "pretest"}
    assert {path.name for path in file.parent.iterdir()} == {FILE, progress.LOCK}


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("trouble", ["fsync", "replace", "no folder", "a folder", "busy"])
def test_what_cannot_be_kept_is_told_and_kept_later(file, monkeypatch, trouble):
    with monkeypatch.context() as patch:
        held = None
        if trouble == "no folder":
            patch.setenv(SESSION, str(file.parent / "gone" / "x.ipynb"))
        elif trouble == "a folder":
            file.mkdir()
        elif trouble == "busy":
            patch.setattr(progress, "LOCK_SECONDS_MAX", 0.05)
            held = progress._locked(file.with_name(progress.LOCK))
            held.__enter__()
        else:
            patch.setattr(os, trouble, full)
        lesson.counted.forget()
        box = CardBox(lesson.counted)
        lesson.start.answer("if", "starts", "starts", "starts")
        box.choices["answer"].value = "c"
        box.store.click()
        shown = said(lesson.counted)
        assert "✔ Right" in shown
        assert f"Not kept on disk: {FILE} can't be written" in shown
        assert box.said.value == marked(lesson.counted.reply())
        if held is not None:
            held.__exit__(None, None, None)
    if trouble == "a folder":
        file.rmdir()
    lesson.pretest.answer([True] * 6)
    assert "Not kept" not in said(lesson.pretest)
    assert {*entries(file)} == {"counted", "start", "pretest"}


LIMITED = """
import resource, runpy
from mmsim.lessons import the_report as lesson
lesson.pretest.answer([True] * 6)
resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))
lesson.start.answer("x" * 3000, "starts", "starts", "starts")
print(lesson.start.reply()[-1])
"""


@pytest.mark.skipif(os.name == "nt", reason="limits as on POSIX")
def test_a_write_that_stops_in_the_middle_leaves_the_old_file(file):
    process = writer(file, patch=LIMITED + "raise SystemExit\n")
    assert "Not kept on disk" in process.communicate()[0]
    assert {*entries(file)} == {"pretest"}


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x00\xff\xfe",
        b'{"card": "the_report.start", "tri',
        b"[1]",
        b'"card"',
        b"[" * 100_000,
        b'{"card": 1}',
        b'{"card": "x", "tries": -1, "wrong": 0, "hints": 0, "first_at": 0, "at": 0}',
        b'{"card": "x", "tries": "9", "wrong": 0, "hints": 0, "first_at": 0, "at": 0}',
    ],
)
def test_a_damaged_file_is_set_aside_whole_and_its_good_lines_stay(file, rubbish):
    lesson.pretest.answer([True] * 6)
    damaged = rubbish + b"\n" + file.read_bytes()
    file.write_bytes(damaged)
    another_kernel(lesson.pretest)
    shown = said(lesson.pretest)
    assert shown.startswith("●")
    (aside,) = file.parent.glob("progress.damaged-*.jsonl")
    assert f"{FILE} was damaged (line 1) and is set aside as {aside.name}." in shown
    assert aside.read_bytes() == damaged
    assert {*entries(file)} == {"pretest"}


@pytest.mark.parametrize("change", [{"last": 7}, {"last": {"users": {}}}, {"first": [[]]}, {}])
def test_an_entry_that_is_no_answer_any_more_leaves_the_card_open(file, change):
    lesson.pretest.answer([True] * 6)
    (entry,) = read(file).cards.values()
    file.write_text(json.dumps({**entry, **change}) + "\n")
    another_kernel(lesson.pretest)
    assert said(lesson.pretest).startswith("○" if change else "●")


# -- mmsim progress, mmsim tally


def test_progress_and_what_is_handed_in(file, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(file.parent)
    assert main(["progress"]) == 2
    assert "there is no progress.jsonl in this folder" in capsys.readouterr().err
    lesson.start.answer("my own words", "does not start", "does not start", "starts")
    lesson.counted.answer("a").next_hint()
    last.afterwards.answer([False] * 6)
    assert main(["progress", "--hand-in", "Zoë / 7"]) == 0
    out = capsys.readouterr().out
    assert "00 The virtual machine that would not start         2          1 of 2" in out
    assert out.splitlines()[5].split() == ["all", "3", "1", "of", "3", "1", "1"]
    assert "hand-in-Zoë-7.jsonl is written. It holds the name 'Zoë / 7'" in out
    target = file.parent / "hand-in-Zoë-7.jsonl"
    head, *lines = map(json.loads, target.read_bytes().splitlines())
    assert {*head} == {"hand_in", "made", "mmsim"}
    assert lines == [*read(file).cards.values()]
    assert {*lines[0]} == {
        *("card", "tries", "wrong", "hints", "first_at", "at"),
        *("first", "right", "last", "code", "unlocked"),
    }
    text = file.read_text() + target.read_text()
    assert str(tmp_path) not in text
    assert getpass.getuser() not in text
    for name, told in (("...", "needs a letter or a digit"), ("Zoë 7", "is of somebody else")):
        assert main(["progress", "--hand-in", name]) == 2
        assert told in capsys.readouterr().err
    assert main(["progress", "--hand-in", "Zoë / 7"]) == 0


def test_the_cards_that_compare_before_and_after(file, monkeypatch):
    lesson.pretest.answer([True] * 6)
    last.afterwards.answer([False, False, False, False, True, False])
    shown = said(last.compared)
    assert "Right in lesson 00: 2 of 6. Right today: 5 of 6." in shown
    monkeypatch.delenv(SESSION)
    assert "Your answers of lesson 00 were not kept here." in said(last.compared)


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    class_of(25, folder, ["the_report", "migrate_or_split", "capstone_and_recall"])
    return folder


def test_the_hand_ins_of_a_class_become_a_table_and_a_picture(handed_in, capsys):
    books = [read(path) for path in handed_in.glob("*.jsonl")]
    assert main(["tally", str(handed_in)]) == 0
    out = capsys.readouterr().out
    firsts = [book.cards["the_report.counted"] for book in books]
    counts = Counter(entry["first"] for entry in firsts)
    told = f"    a {counts['a']}, b {counts['b']}, c {counts['c']} ✔, d {counts['d']}"
    tried = [str(sum(entry[name] for entry in firsts)) for name in ("wrong", "hints")]
    lines = out.splitlines()
    (at,) = (n for n, line in enumerate(lines) if line.split()[:1] == ["counted"] and n < 6)
    assert lines[at].split() == ["counted", "25", str(counts["c"]), "of", "25", *tried]
    assert lines[at + 1] == told
    pairs = [
        (b.cards["the_report.pretest"], b.cards["capstone_and_recall.afterwards"]) for b in books
    ]
    before, after = (
        sum(not side["first"]["ten"] for side in sides) for sides in zip(*pairs, strict=True)
    )
    assert f"{before:4} → {after} of 25  Trying ten times" in out
    svg = (handed_in / "tally.svg").read_text()
    root = ET.fromstring(svg)
    for rule in (texts_fit, texts_stand_apart, references_are_defined):
        rule(root)
    assert all(words in svg for words in (*FILLED, "25 hand-ins", "“ten”, before", "00 counted"))


def test_odd_files_among_the_hand_ins(handed_in, tmp_path, capsys, monkeypatch):
    for number, path in enumerate(sorted(handed_in.glob("*.jsonl"))[:2]):
        (tmp_path / f"{number}.jsonl").write_bytes(path.read_bytes() + b"half a li" * number)
    later = json.loads((tmp_path / "0.jsonl").read_text().splitlines()[0]) | {"made": 9 * 10**9}
    odd = {"card": "gone.card", "first": [1, {}], **dict.fromkeys(progress.NUMBERS, 1)}
    lines = [later, odd, {**odd, "card": "the_report.pretest", "right": "?", "first": 3}]
    (tmp_path / "a-later.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "mine.jsonl").write_text("")
    assert main(["tally", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Hand-ins: 2\n")
    assert "of another release\ncard " in out
    assert "mine.jsonl is left out: it is no hand-in" in err
    assert "1.jsonl is damaged, and line" in err
    picture = (tmp_path / "tally.svg").read_bytes()
    monkeypatch.setattr(os, "replace", full)
    assert main(["tally", str(tmp_path)]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert (tmp_path / "tally.svg").read_bytes() == picture
    assert main(["tally", str(tmp_path / "nowhere")]) == 2
    assert "there is no hand-in (.jsonl) in" in capsys.readouterr().err
