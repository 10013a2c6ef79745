"""Questions for day 2 and day 7: what the lessons said, asked again when it has begun to fade.

Interface: cards, CARDS, DAYS

Every answer with a number in it is worked out by the model when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mmsim import errno
from mmsim.evidence.measured import disturbed
from mmsim.evidence.tracer import migrate_returns
from mmsim.lessons import counters_of
from mmsim.retrylaw import Retrying, success
from mmsim.scenarios import lru_batch, vfio_map
from mmsim.scenarios.page_life import folio_of, page_with

DAYS = (2, 7)


class Card(NamedTuple):
    """A question of a lesson for a day, and its answer, or what works it out."""

    day: int
    lesson: str
    question: str
    answer: Callable[[], str] | str


def _expected() -> str:
    page = folio_of(page_with().run())
    parts = f"{page.cache_refs} of the page cache, {page.mapcount} mapping, 1 isolation"
    return f"{page.refcount}: {parts}"


def _refused_ten_times() -> str:
    found = counters_of(vfio_map("v2").run())
    counts = f"{found['thp_split_page_failed']} and {found['thp_migration_fail']}"
    return f"{counts}: what still waits after the last pass is counted once more"


def _base_alone() -> str:
    run = vfio_map("base", stranger=0).run()
    moved = run.last.world.vmstat["pgmigrate_success"]
    return f"{errno.name(run.results['pin'])}, though all {moved} pieces moved: by the return value"


def _v1() -> str:
    runs = (vfio_map(version, reason="contig_range").run() for version in ("v1", "v2"))
    v1, v2 = (errno.name(migrate_returns(run)[-1]) for run in runs)
    return f"v1 {v1}, v2 {v2}: v1 changed it for callers who pin nothing"


def _window() -> str:
    windows = Retrying(10, 2), Retrying(3, 9)
    parts = [f"{float(100 * success(each, 18)):.0f} %" for each in windows]
    outlast = f"{parts[0]} and {parts[1]} of those who hold for 18"
    return f"neither: both span {windows[0].window} ticks ({outlast})"


def _hole() -> str:
    run = vfio_map("v2", targets="late", released=1).run()
    return f"{errno.name(run.results['pin'])} in v2, pinned in v3: 1 failure counted, nothing split"


def _batch() -> str:
    found = {name: lru_batch(name).run().results["pin"] > 0 for name in ("v2", "wait", "drain")}
    helps = ", ".join(name for name, pinned in found.items() if pinned)
    return f"{helps}: nobody else empties it, if the pin isolates as meant"


def _effect() -> str:
    base, v2 = disturbed("base").failed, disturbed("v2").failed
    return f"base {base}, v2 {v2}; after all v2 failures only pieces were left, which have one pass"


CARDS = (
    Card(2, "00", "Which call failed, and with which error?", "VFIO_IOMMU_MAP_DMA, -ENOMEM"),
    Card(
        2,
        "01",
        "What count does the kernel expect on an isolated huge page that is mapped once?",
        _expected,
    ),
    Card(
        2,
        "02",
        "Why may a page in CMA not be pinned for a long time?",
        "CMA is lent: it must be possible to move the page away",
    ),
    Card(
        2,
        "04",
        "What leads to a split in 6.1: a busy page, or a missing destination?",
        "a missing destination; a busy page alone never does",
    ),
    Card(
        2,
        "04",
        "v2, one reference for ever: how many refused splits, how many failures?",
        _refused_ten_times,
    ),
    Card(
        2,
        "07",
        "Ten passes two ticks apart, or three nine ticks apart: which outlast more holders?",
        _window,
    ),
    Card(
        7,
        "03",
        "Much is free, and no pin gets a huge page. What does buddyinfo hide?",
        "which free blocks are CMA: a pin can't use them",
    ),
    Card(
        7,
        "04",
        "Nobody is in the way, the split works. What does the pin return in base, and why?",
        _base_alone,
    ),
    Card(
        7,
        "05",
        "Half of all schedules fail. Does a pin fail with a chance of one half?",
        "no: schedules are not equally likely; odds follow the coin at each step",
    ),
    Card(7, "06", "A refused split, reason contig_range: what do v1 and v2 return?", _v1),
    Card(
        7, "07", "Refused once, then the huge page moves whole. What does the pin come to?", _hole
    ),
    Card(7, "07", "A single page lies in a batch: v2, wait or drain?", _batch),
    Card(
        7,
        "08",
        "About how often did pins fail beside drop_caches on a real kernel, and why?",
        _effect,
    ),
)


def cards(day: int) -> list[tuple[str, str, str]]:
    """Lesson, question and answer of each card of a day; raises ValueError for another day."""
    if day not in DAYS:
        raise ValueError(f"there are cards for day {' and '.join(map(str, DAYS))}, not {day!r}")
    return [
        (card.lesson, card.question, card.answer if isinstance(card.answer, str) else card.answer())
        for card in CARDS
        if card.day == day
    ]
