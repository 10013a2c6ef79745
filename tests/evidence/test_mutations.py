"""Texts damaged and dressed up at random: read rightly or refused in one line, never in part.

The checker has a reader of its own for plain texts.  A text is damaged first, then decorated: what
the reader finds in the damaged one must be in the answer.  MUTATIONS=10000 pytest ... is the long
run."""

from __future__ import annotations

import os
import random
import re

import pytest
from proctext import DRESSES, TYPES, buddyinfo, pagetypeinfo, zoneinfo

from mmsim.evidence.counters import EVIDENCE, read
from mmsim.evidence.pasted import PasteError
from mmsim.evidence.proc import read_memory

RUNS = int(os.environ.get("MUTATIONS", "600"))


# -- real-looking texts


def counts(draw, orders=11):
    return tuple(draw.choice([0, draw.randint(0, 99_999)]) for _ in range(orders))


def names(draw):
    return [(node, z) for node in (0, 1)[: draw.randint(1, 2)] for z in ("DMA32", "Normal")]


def buddy(draw):
    orders = draw.choice([9, 11, 14])
    return buddyinfo([(*key, counts(draw, orders)) for key in names(draw)])


def types(draw):
    some = TYPES[: draw.randint(3, 6)]
    return pagetypeinfo(
        [(*key, {t: counts(draw) for t in some}, dict.fromkeys(some, 7)) for key in names(draw)]
    )


def zones(draw):
    fields = ("free", "min", "low", "high", "spanned", "present", "managed", "cma", "nr_free_cma")
    return zoneinfo(
        [(*key, {f: draw.randint(1, 10**6) for f in (*fields, "start_pfn")}) for key in names(draw)]
    )


def free_lists(draw):
    text = ""
    for node, zone in names(draw):
        free = counts(draw)
        blocks = "".join(f"{n}*{4 << o}kB {'(UM) ' if n else ''}" for o, n in enumerate(free))
        total = sum(n * (4 << o) for o, n in enumerate(free))
        text += f"Node {node} {zone}: {blocks}= {total}kB\n"
    return text


def moved(draw):
    kept = draw.sample([*EVIDENCE, "pgfault", "compact_stall", "nr_mapped"], draw.randint(2, 12))
    return "".join(
        f"{n} +{draw.randint(0, 9999)}\n" for n in {EVIDENCE[0]: 0} | dict.fromkeys(kept)
    )


def vmstat(draw):
    there = [*EVIDENCE, *(f"pgalloc_x{i}" for i in range(40))]
    return "".join(f"{name} {draw.randint(0, 10**9)}\n" for name in there)


def trace(draw):
    fields = ("nr_succeeded", "nr_failed", "nr_thp_succeeded", "nr_thp_failed", "nr_thp_split")
    return "".join(
        f"  task-{draw.randint(1, 9999)} [00{draw.randint(0, 7)}] ..... {draw.random():.6f}: "
        "mm_migrate_pages: "
        + "".join(f"{f}={draw.randint(0, 600)} " for f in fields)
        + f"mode=MIGRATE_SYNC reason={draw.choice(['longterm_pin', 'compaction'])}\n"
        for _ in range(draw.randint(1, 4))
    )


# -- the reader of the checker: what a plain text holds, None for a line that it can't read


NODE = re.compile(r"Node +(\d+)(?:,|  ?)[ ,]*(?:zone +)?([\w.-]+)(?:, +type +(\w+))?:?((?: +\S+)*)")


def rows(text):
    """(key, numbers) of each line with a digit; the line if one is not what a kernel prints."""
    found, node = [], ""
    broken = r"(?:[\d*(k]|\([A-Z]+)\n(?=[A-Z]*\)|\d*\*|\d*kB|B )|=\d*\n(?=\d)"
    text = re.sub(broken, lambda match: match[0][:-1], text)
    text = re.sub(r"(protection: [(\d, ]+)\n", r"\1", text)
    text = re.sub(r"(= \d+kB)\s+\d+\s*$", r"\1", text)  # of a log that goes on, which is said
    text = re.sub(r"^[ \t]*\d+[ \t]+(?=[a-z])", "", text, flags=re.M)
    text = re.sub(r"(?<=[\dB])(?:[,;]?\s+(?=[a-z]\w+ [+-]?\d)|[ \t]+(?=Node ))", "\n", text)
    text = re.sub(r"(?<=\w)[ \t]*\n(?=[ \t]*(?:>?\d+[ \t]+)*>?\d+[ \t]*$)", " ", text, flags=re.M)
    text = re.sub(
        r"(zone|type|order|,|Node \d \w+:|\*\d+kB|\))\s*\n(?![ \t>]*Node)",
        r"\1 ",
        text,
    )
    for raw in text.replace("\t", " ").splitlines():
        line = raw.strip(" \t>|*#$%`-,").strip()
        if not re.search(r"\d", line):
            continue
        match = NODE.fullmatch(line)
        if match:
            node = f"{int(match[1])} {match[2]}"
            found.append(((node, match[3] or ""), re.findall(r"\d+", match[4])))
        elif pair := re.fullmatch(r"(?:\w+[#$] )?([A-Za-z_][\w -]*:?)[ :=+,#$]+(-?\d+)", line):
            found.append(((node, pair[1].strip()), [pair[2]]))
        elif re.match(r"protection|Free pages|Page", line) is None:
            return line
    return found


def calls(text):
    """The counts of each call in a trace, also if its line is broken."""
    text = re.sub(r"(?<=[a-z_])\s+(?=[a-z_]*=)|(?<==)\n", "", text)
    text = re.sub(r"(=\d+)\n(?=\d)", r"\1", text)
    return [re.findall(r"nr_\w+=(\d+)", call) for call in text.split("mm_migrate_pages:")[1:]]


def tokens(answer):
    """The numbers of an answer, as often as they stand in it."""
    if isinstance(answer, (tuple, list, frozenset)):
        return [n for each in answer for n in tokens(each)]
    if hasattr(answer, "values"):
        return [n for each in answer.values() for n in tokens(each)]
    return [answer] if isinstance(answer, int) else []


OURS = ("pages free", "present", "managed", "nr_free_cma")


def lost(make, plain, answer):
    """What the plain text holds and the answer has not."""
    if make is trace:
        sums = [sum(map(int, column)) for column in zip(*calls(plain), strict=True)]
        every = [answer, *answer.also]
        got = [sum(d.given[name] for d in every) for name in EVIDENCE[:5]]
        return "" if got == sums else f"{sums} and not {got}"
    held = rows(plain)
    if isinstance(held, str):
        return f"a line that can't be read: {held!r}"
    if make in (moved, vmstat):
        got = answer.given | answer.others
        return [k for (_, k), (n,) in held if got.get(k.strip(" :"), 0) != int(n)]
    by_zone = {f"{zone.node} {zone.zone}": tokens(tuple(zone)) for zone in answer.zones}
    missing = []
    for (zone, name), numbers in held:
        if (make is zones and name and name not in OURS) or name.startswith(("Page", "Free")):
            continue
        there = by_zone.get(zone)
        if make is free_lists:
            numbers = numbers[:-1:2]
        if there is None or not {*map(int, numbers)} <= {*there, 100_000}:
            missing.append((zone, name))
    return missing


# -- damage and decoration


CHARS = "0 9x\n\t-#>$=.,:é/["


def damaged(draw, text, odd=CHARS):
    """One thing is changed: a place, a line, or all from a place on; `odd` may come instead."""
    lines = text.splitlines(keepends=True) or [""]
    at, line, new = draw.randint(0, len(text)), draw.randrange(len(lines)), draw.choice(odd)
    ways = (
        text[:at] + text[at + 1 :],
        text[:at] + new + text[at:],
        text[:at] + new + text[at + 1 :],
        "".join(lines[:line] + lines[line + 1 :]),
        "".join([*lines[: line + 1], *lines[line:]]),
        text[:at],
    )
    return draw.choice(ways) or "\n"


def decorated(draw, text):
    worn = draw.sample([*DRESSES], draw.choice([0, 1, 1, 2]))
    for dress in sorted(worn, key="quoted printable".__eq__):  # it breaks words, so it is outside
        text = DRESSES[dress]("\n".join(text.splitlines()) + "\n")
    return text


MAKERS = (buddy, types, zones, free_lists, moved, vmstat, trace)


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_no_mutation_is_read_with_less_than_it_holds(make):
    accepted = 0
    for seed in range(RUNS // len(MAKERS) + 1):
        draw = random.Random(f"{make.__name__} {seed}")
        plain = make(draw)
        for _ in range(draw.choice([0, 0, 1, 1, 2, 4])):
            plain = damaged(draw, plain)
        text = decorated(draw, plain)
        answer = answered(make, plain, text)
        if isinstance(answer, str):
            assert re.fullmatch(".+", answer)
        else:
            accepted += 1
            assert not lost(make, plain, answer), (seed, text)
    assert accepted > RUNS // len(MAKERS) // 4


def answered(make, plain, text):
    """What is read, or the message."""
    try:
        if make in (moved, trace):
            return read(text)
        if make is vmstat:
            names = re.findall(r"^([a-z]\w*) \d+$", plain, re.MULTILINE)
            return read("".join(f"{name} 0\n" for name in names), text)
        return read_memory(text)
    except PasteError as error:
        return str(error)
