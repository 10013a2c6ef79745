"""The model with one line changed: what would happen without it?

Interface: Mutation, MUTATIONS, get, source, diff

A mutation names a line of a kernel path and what stands there instead.  `mmsim.practice.mutants`
runs the model that it makes, and says which property dies.  Unlike the seams (`mmsim.mm.versions`)
no kernel ever had these: each is a mistake that can be made, or a check that looks needless.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from typing import NamedTuple

from mmsim.engine.op import ModelError
from mmsim.errors import nearest


class Mutation(NamedTuple):
    """`line` stands once in the file; `instead` takes its place, as far indented."""

    name: str
    what: str
    file: str
    line: str
    instead: str

    @property
    def module(self) -> str:
        """The dotted name of the file."""
        return f"mmsim.{self.file.removesuffix('.py').replace('/', '.')}"


_ROWS = (
    # -- the two looks at the references, and what they compare
    Mutation(
        "no first look",
        "The split asks nobody whether the huge page has other references before it unmaps it.",
        "mm/huge_memory.py",
        "return pins if folio.mapcount == folio.refcount - pins - 1 else None",
        "return pins",
    ),
    Mutation(
        "freeze without comparing",
        "The freeze claims all references, however many there are.",
        "mm/page_ref.py",
        "if world.folio(pfn).refcount != expected:",
        "if world.folio(pfn).refcount == 0:",
    ),
    Mutation(
        "own reference forgotten",
        "The first look forgets that the caller itself has a reference.",
        "mm/huge_memory.py",
        "return pins if folio.mapcount == folio.refcount - pins - 1 else None",
        "return pins if folio.mapcount == folio.refcount - pins else None",
    ),
    Mutation(
        "isolation not expected",
        "The move does not count the isolation's reference among those that have to be there.",
        "mm/migrate.py",
        "return rc, expected_refs(world.folio(pfn))",
        "return rc, expected_refs(world.folio(pfn)) - 1",
    ),
    # -- trying again
    Mutation(
        "never again",
        "A split that was refused is not tried in the next pass: the patch without its point.",
        "mm/versions.py",
        "return reason == MR_LONGTERM_PIN and ret == -EAGAIN",
        "return False",
    ),
    Mutation(
        "again for everybody",
        "A refused split is tried again whoever asked for the migration, not only for a pin.",
        "mm/versions.py",
        "return reason == MR_LONGTERM_PIN and ret == -EAGAIN",
        "return ret == -EAGAIN",
    ),
    Mutation(
        "again whatever was wrong",
        "A split is tried again also if it failed for a reason that time does not cure.",
        "mm/versions.py",
        "return reason == MR_LONGTERM_PIN and ret == -EAGAIN",
        "return reason == MR_LONGTERM_PIN",
    ),
    Mutation(
        "one pass for all",
        "migrate_pages() goes over its list once.",
        "mm/migrate.py",
        "while pass_ < version.passes and (stats.retry or stats.thp_retry):",
        "while pass_ < 1 and (stats.retry or stats.thp_retry):",
    ),
    Mutation(
        "no second round",
        "The pieces of a split huge page are not moved.",
        "mm/migrate.py",
        "from_[:] = split_pages",
        "from_.clear()",
    ),
    # -- counting
    Mutation(
        "retries not reset",
        "The counters of those that wait for the next pass are not set to 0 when it begins.",
        "mm/migrate.py",
        "stats.retry = stats.thp_retry = stats.nr_retry_pages = 0",
        "pass",
    ),
    Mutation(
        "failure not taken back",
        "A huge page that is tried again stays counted as failed, as in v2 and v3.",
        "mm/migrate.py",
        "stats.nr_thp_failed -= version.taken_back",
        "pass",
    ),
    Mutation(
        "result of the split returned",
        "What the split answered becomes the result of migrate_pages(), as in v1.",
        "mm/migrate.py",
        "rc = version.rc_after_split(rc, ret)",
        "rc = ret",
    ),
    # -- leaving things as they were
    Mutation(
        "no putback",
        "What could not be moved is not put back on its list of pages.",
        "mm/gup.py",
        "yield from putback_movable_pages(list_)",
        "list_.clear()",
    ),
    Mutation(
        "waiting pieces forgotten",
        "Who gives up forgets the pieces that wait for their round.",
        "mm/migrate.py",
        "from_[:0] = split_pages",
        "split_pages.clear()",
    ),
    Mutation(
        "no unlock after the split",
        "The huge page, or its first piece, stays locked after a split was tried.",
        "mm/migrate.py",
        "yield folio_unlock(page.pfn)",
        "pass",
    ),
    Mutation(
        "mappings not put back",
        "After a move, failed or not, nobody turns the migration entries into mappings again.",
        "mm/migrate.py",
        "yield remove_migration_ptes(src, src if rc else dst)",
        "pass",
    ),
    # -- pins
    Mutation(
        "pinned while it moves",
        "The pin keeps its pins on the pages that it wants to have moved.",
        "mm/gup.py",
        "yield gup_put_folio(found.page.pfn, found.pins)",
        "yield folio_test_lru(found.page.pfn)",
    ),
    Mutation(
        "CMA is good enough",
        "The pin does not ask whether a page may stay where it is.",
        "mm/gup.py",
        "if collected == 0:",
        "if collected >= 0:",
    ),
    Mutation(
        "no rollback",
        "A map that fails half-way keeps what it has pinned so far.",
        "mm/vfio.py",
        "yield from vfio_unpin_pages_remote(run.pfn, run.pages, write)",
        "pass",
    ),
    Mutation(
        "rolled back twice",
        "A map that fails half-way lets go of each of its pins twice.",
        "mm/gup.py",
        "yield gup_put_folio(pfn, found.pins)",
        "yield gup_put_folio(pfn, 2 * found.pins)",
    ),
)
MUTATIONS = {row.name: row for row in _ROWS}


def get(name: str) -> Mutation:
    """The mutation of this name; raises ValueError with the nearest match for an unknown one."""
    try:
        return MUTATIONS[name]
    except KeyError:
        raise ValueError(f"no mutation {name!r}{nearest(name, MUTATIONS)}") from None


def _sources(mutation: Mutation) -> tuple[str, str]:
    """The text of the file as it is, and with the line changed."""
    text = inspect.getsource(importlib.import_module(mutation.module))
    lines = text.splitlines()
    at = [i for i, line in enumerate(lines) if line.strip() == mutation.line]
    if len(at) != 1:
        raise ModelError(f"{mutation.file} has {len(at)} lines {mutation.line!r}, not one")
    indent = len(lines[at[0]]) - len(lines[at[0]].lstrip())
    lines[at[0]] = " " * indent + mutation.instead
    return text, "\n".join(lines) + "\n"


def source(mutation: Mutation) -> str:
    """The text of the mutated file."""
    return _sources(mutation)[1]


def diff(mutation: Mutation) -> str:
    """Unified diff of the file and its mutation."""
    before, after = (text.splitlines() for text in _sources(mutation))
    names = mutation.file, f"{mutation.file}, {mutation.name}"
    return "\n".join(difflib.unified_diff(before, after, *names, "", "", 3, ""))
