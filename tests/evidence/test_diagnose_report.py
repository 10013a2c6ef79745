"""What a person reads: the report, its commands, JSON, the widget and its twin."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from mmsim.cli import main
from mmsim.evidence.diagnose import EVIDENCE, UNITS, Path, diagnose, fates
from mmsim.views.diagnosis import (
    NO_PATH,
    PATHS_MAX,
    RARER,
    command,
    path_words,
    report,
)

PAIR = "thp_migration_fail +1\nthp_split_page_failed +1\n"
ELEVEN = "thp_migration_fail +11\nthp_split_page_failed +10\n"


def run(capsys, *words):
    status = main(words)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "moved.txt"
        path.write_text(text)
        return str(path)

    return write


def test_the_command_says_what_explains_the_pair(capsys, file):
    status, out, _ = run(capsys, "diagnose", file(PAIR), "--kernel", "base")
    assert status == 0
    for words in (
        "Not given, so not known: pgmigrate_success",
        "paths that counters can't tell apart; each also moves pgmigrate_fail +512",
        "a) base: a long-term pin; no huge page is free; the split is refused once at the ref",
        "mmsim replay vfio_map --version base",
        "thp_split_pmd: 0 in 1, 3; 1 in 2",
        "return probe on split_huge_page_to_list(): -EBUSY in 1a, 1b, 1d; -ENOMEM in 1c",
    ):
        assert words in out


def test_no_path_is_said_aloud_with_status_1(capsys, file):
    status, out, _ = run(capsys, "diagnose", file(PAIR.replace("+1", "+7", 1)), "--kernel", "v2")
    assert status == 1
    assert NO_PATH in out
    assert "Nearest, in v2:" in out
    assert "thp_migration_fail would be" in out


def test_the_simplest_is_said_first_and_a_cell_shows_few():
    found = diagnose(PAIR)
    number = sum(len(group.paths) for group in found.groups)
    assert number > len(found.groups[0].paths) > 1
    simplest = f"the simplest, in base, 6.1.0: {path_words(found.groups[0].paths[0])}."
    assert f"\nOne of {number} paths that fit; {simplest}\n" in report(found)
    said = report(found, groups_max=2)
    assert f"And {len(found.groups) - 2} more groups of paths, less simple." in said
    assert "\n3. " not in said


def test_rarer_situations_are_searched_when_asked_for(capsys, file):
    """The hole of v2: whole pages were moved, and a split was refused in the end."""
    hole = "a huge page is moved whole; no huge page is free; the split is refused once"
    _, out, _ = run(capsys, "diagnose", file(PAIR), "--kernel", "v2")
    assert hole not in out
    assert out.endswith(f"{RARER}\n")
    _, out, _ = run(capsys, "diagnose", file(PAIR), "--kernel", "v2", "--all")
    assert hole in out
    assert RARER not in out
    assert "more group" not in out
    _, out, _ = run(capsys, "diagnose", file(PAIR), "--all", "--json")
    assert json.loads(out)["complete"] is True


def test_what_is_ignored_is_listed(capsys, file):
    _, out, _ = run(capsys, "diagnose", file(PAIR + "pgfault 3\ndrop_pagecache 1\n"))
    assert "Ignored: drop_pagecache, pgfault." in out
    assert "drop_pagecache moved by 1: drop_caches ran" in out


def test_json_says_the_same(capsys, file):
    status, out, _ = run(capsys, "diagnose", file(ELEVEN), "--json")
    found = json.loads(out)
    assert status == 0
    assert found["explained"] is True
    assert found["given"] == {"thp_migration_fail": 11, "thp_split_page_failed": 10}
    path = found["groups"][0]["paths"][0]
    assert path["versions"] == ["v1", "v2", "v3", "2/2-only"]
    assert path["command"].startswith("mmsim r")
    assert found["groups"][0]["counters"]["pgmigrate_fail"] == 512
    assert found["next_counters"]["thp_split_pmd"] == [0, 1]


def test_bad_words_are_one_sentence_and_status_2(capsys, file):
    for words, says in (
        (("diagnose", file(PAIR), "--kernel", "v22"), "did you mean 'v2'"),
        (("diagnose",), "BEFORE"),
        (("diagnos", "x"), "did you mean 'diagnose'"),
        (("diagnose", file(PAIR), file(PAIR)), "is a movement and not a reading"),
    ):
        status, out, err = run(capsys, *words)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert says in err


@pytest.mark.parametrize("text", [PAIR, ELEVEN, "thp_migration_fail 2\nthp_split_page_failed 1"])
def test_every_command_runs_and_moves_what_it_is_said_to(text, capsys):
    for group in diagnose(text).groups:
        for path in group.paths:
            words = shlex.split(command(path))
            assert words[0] == "mmsim"
            status, out, _ = run(capsys, *words[1:], "--json")
            assert status == 0
            moved = json.loads(out)["counters"]
            names = UNITS if path.fate.units["thp_migration_split"] else EVIDENCE
            for name in names:
                assert path.times * moved.get(name, 0) == group.counters[name]


@pytest.mark.parametrize("version", ["base", "v1", "v3fix"])
def test_every_path_has_words(version):
    for fate in fates(version, 1):
        words = path_words(Path((version,), fate))
        assert "returns" in words
        assert words[0].islower()
        assert "None" not in words
        assert not re.search(r"-\d", words)  # nothing happens less than never


def test_a_single_page_is_no_piece():
    found = diagnose("pgmigrate_success 1\npgmigrate_fail 1\ncma_alloc_success 1", kernel="v3")
    said = report(found, groups_max=None)
    assert "a long-term pin; a single page is busy in every pass;" in said
    assert "piece" not in said


def test_of_many_paths_few_are_shown_unless_asked_for():
    found = diagnose(
        "pgmigrate_success 9000\npgmigrate_fail 20\nthp_migration_fail 1\nthp_migration_split 1\n"
        "thp_split_page_failed 0\nthp_split_page 3\nthp_split_pmd 9\ncma_alloc_fail 2"
    )
    assert len(found.groups[0].paths) > PATHS_MAX
    said = report(found)
    assert f"\n   And {len(found.groups[0].paths) - PATHS_MAX} more (mmsim diagnose --all)." in said
    assert "more (mmsim" not in report(found, groups_max=None)


def test_nothing_moved_is_said():
    assert report(diagnose("thp_migration_fail 0")).endswith("has moved.\n")
