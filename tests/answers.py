"""A right and a wrong answer to every task of the lessons."""

from __future__ import annotations

from mmsim.practice.benches import workbench
from mmsim.practice.loans import lending
from mmsim.practice.unnamed import LABELS
from mmsim.scenarios import vfio_map
from mmsim.scenarios.hosts import host
from mmsim.scenarios.split_race import CLAIMS
from mmsim.tasks.lesson_05_search import MUTANTS
from mmsim.tasks.lesson_08 import CHANGES, GAPS, SUPPORT
from mmsim.tasks.lesson_09 import POSTTEST

FADED = {"page cache": 512, "mappings": 3, "caller": 1, "expected": 516, "others": 1, "actual": 517}
STAYS = {
    **dict.fromkeys(("page cache", "mapping", "VFIO pin"), "long-term"),
    **dict.fromkeys(("drop_caches", "direct I/O pin", "isolation"), "temporary"),
}
STRIPS = {"a": (1, 2, 0, 1, 0), "b": (4, 2, 1, 0, 0), "c": (2, 2, 1, 0, 0)}
GETS = {
    "huge page, for a process": "CMA",
    "huge page, for a long-term pin": "-ENOMEM",
    "single page, for a long-term pin": "ordinary memory",
}
PAGES = {"a": (515, 517), "b": (3, 6), "c": (5, 6), "d": (5, 1029), "e": (513, 515)}
BORROWERS = {
    **dict.fromkeys(("guest memory", "process memory"), "yes"),
    **dict.fromkeys(("page table", "inode", "new place for a pin"), "no"),
}


def expected_refs(folio):
    return 1 + folio.nr_pages * folio.cached + folio.mapcount


def drain_then_wait(attempt):
    if not attempt.pin_is_busy:
        return attempt.usual
    return "drain" if attempt.tries == 1 else "wait" if attempt.tries < 4 else attempt.usual


RIGHT = {
    "01.recall": {"call": "b", "leave": "c", "out": "d"},
    "01.faded": FADED,
    "01.equation": {"seed": 3, **PAGES},
    "01.vote": "d",
    "01.same": workbench(mappings=0, holders=1),
    "01.kinds": STAYS,
    "01.leak": {"seed": 9, "holder": "fault", "step": 14},
    "01.expected_refs": expected_refs,
    "02.recall": {"error": "a", "count": "b", "stays": "c"},
    "02.borrowers": BORROWERS,
    "02.half": {"a": "CMA", "b": "ordinary", "c": "CMA", "d": "ordinary"},
    "02.one": lending(cma=42),
    "02.first": 465,
    "02.second": "b",
    "02.order": ["pin", "look", "let go", "move", "pin again", "map"],
    "02.owner": {"nobody": "memory", "for good": "-EBUSY"},
    "03.recall": {"cache": "c", "cma": "b", "half": "b"},
    "03.blocks": {"seed": 1, **STRIPS},
    "03.least": list(range(0, 4096, 512)),
    "03.chance": "1/35",
    "03.requests": GETS,
    "03.healthy": host(cma=1, used=1),
    "05.recall": {"unmapped": "b", "again": "c", "pieces": "a"},
    "05.check": "split*6 stranger split*3",
    "05.freeze": "split*8 stranger split*5 stranger",
    "05.piece": "pin*21 stranger pin*48",
    "05.rescue": "pin*5 stranger pin*15 stranger pin*78",
    "05.claims": {**dict.fromkeys(CLAIMS, "holds"), "checked": "broken", "mapped": "broken"},
    "05.verdicts": {
        "always holds": False,
        "always broken": True,
        "sometimes holds": True,
        "sometimes broken": False,
    },
    "05.odds": {"stranger*2 split*13": "1/4", "split*6 stranger split*3 stranger": "1/1024"},
    "05.sliders": {"pace": "9 : 1", "interruptions": 2},
    "05.together": {
        "at the freeze": ("can_split_folio", "folio_ref_freeze"),
        "at all": ("folio_get", "folio_put"),
    },
    "05.bridge": {"huge page": "smaller", "piece": "same"},
    "05.mutants": dict(zip(MUTANTS, "cdab", strict=True)),
    "05.seeded": {"seed": 3, "schedule": "stranger split*18"},
    "07.recall": {"eleven": "c", "negative": "b", "others": "a"},
    "07.count": lambda c: c.thp_migration_success + c.thp_migration_fail <= c.huge_pages,
    "07.hole": {"6.1.0": "-ENOMEM", "v1": "pinned", "v2": "-ENOMEM", "v3": "pinned"},
    "07.moved": lambda c: c.pinned or c.pages_in_cma > 0,
    "07.law": "81/256",
    "07.batch": {"v2": False, "subpage_retry": False, "wait": False, "drain": True},
    "07.flag": "c",
    "07.policy": drain_then_wait,
    "08.recall": {"window": "b", "pieces": "c", "proved": "a"},
    "08.which": "b",
    "08.labels": dict(zip("ABCDEF", LABELS, strict=False)),
    "08.gaps": {name: number < 3 for number, name in enumerate(GAPS)},
    "08.rule": lambda pin: 2 * (pin.thp_split_page + pin.thp_split_page_failed),
    "08.left": "none",
    "08.columns": dict(zip(CHANGES, (True, False, False, True), strict=True)),
    "08.support": {name: name in ("same", "second", "pieces") for name in SUPPORT},
    "09.fate": {"seed": 1, "fate": "could not be split"},
    "09.run": {"seed": 1, "run": vfio_map("v3fix", thps=2, stranger=0, trouble="nomem")},
    "09.fitting": {"seed": 1, "fitting": ["nomem", "truncated"]},
    "09.look": {"seed": 1, "look": ["split returns"]},
    "09.posttest": {name: name in ("window", "code") for name in POSTTEST},
}
WRONG = {
    "01.recall": {"call": "b", "leave": "c", "out": "a"},
    "01.faded": {**FADED, "expected": 515},
    "01.equation": {"seed": 3, **PAGES, "d": (5, 6)},
    "01.vote": "a",
    "01.same": workbench(mappings=2, isolated="no"),
    "01.kinds": {**STAYS, "direct I/O pin": "long-term"},
    "01.leak": {"seed": 9, "holder": "move_pages", "step": 6},
    "01.expected_refs": lambda folio: folio.refcount,
    "02.recall": {"error": "a", "count": "c", "stays": "c"},
    "02.borrowers": {**BORROWERS, "new place for a pin": "yes"},
    "02.half": {"a": "CMA", "b": "CMA", "c": "CMA", "d": "ordinary"},
    "02.one": lending(),
    "02.first": 256,
    "02.second": "a",
    "02.order": ["look", "pin", "move", "let go", "pin again", "map"],
    "02.owner": {"nobody": "memory", "for good": "memory"},
    "03.recall": {"cache": "c", "cma": "a", "half": "b"},
    "03.blocks": {"seed": 1, **STRIPS, "b": (4, 4, 0, 0, 0)},
    "03.least": [0, 700, 3000],
    "03.chance": "1/16",
    "03.requests": {**GETS, "huge page, for a long-term pin": "CMA"},
    "03.healthy": host(cma=0, used=1),
    "05.recall": {"unmapped": "b", "again": "b", "pieces": "a"},
    "05.check": "split*8 stranger split*5 stranger",
    "05.freeze": "split*6 stranger split*3",
    "05.piece": "pin*5 stranger pin*15 stranger pin*78",
    "05.rescue": "pin*21 stranger pin*48",
    "05.claims": {**dict.fromkeys(CLAIMS, "holds"), "mapped": "broken"},
    "05.verdicts": dict.fromkeys(
        ("always holds", "always broken", "sometimes holds", "sometimes broken"), True
    ),
    "05.odds": {"stranger*2 split*13": "1/4", "split*6 stranger split*3 stranger": "1/2048"},
    "05.sliders": {"pace": "9 : 1", "interruptions": 1},
    "05.together": {
        "at the freeze": ("unmap_folio", "folio_ref_freeze"),
        "at all": ("folio_get", "folio_put"),
    },
    "05.bridge": {"huge page": "smaller", "piece": "smaller"},
    "05.mutants": dict(zip(MUTANTS, "ddab", strict=True)),
    "05.seeded": {"seed": 3, "schedule": "split*13 stranger"},
    "07.recall": {"eleven": "a", "negative": "b", "others": "a"},
    "07.count": lambda c: c.thp_migration_fail <= 4,
    "07.hole": {"6.1.0": "-ENOMEM", "v1": "pinned", "v2": "pinned", "v3": "pinned"},
    "07.moved": lambda c: c.pinned,
    "07.law": "175/256",
    "07.batch": {"v2": False, "subpage_retry": False, "wait": True, "drain": True},
    "07.flag": "a",
    "07.policy": lambda attempt: "try again",
    "08.recall": {"window": "c", "pieces": "c", "proved": "a"},
    "08.which": "d",
    "08.labels": dict.fromkeys("ABCDEF", LABELS[0]),
    "08.gaps": dict.fromkeys(GAPS, True),
    "08.rule": lambda pin: 2 * pin.thp_split_page_failed,
    "08.left": "most",
    "08.columns": dict.fromkeys(CHANGES, True),
    "08.support": dict.fromkeys(SUPPORT, True),
    "09.fate": {"seed": 1, "fate": "a piece was left"},
    "09.run": {"seed": 1, "run": vfio_map("v3fix", thps=2)},
    "09.fitting": {"seed": 1, "fitting": ["reference"]},
    "09.look": {"seed": 1, "look": ["migrate returns"]},
    "09.posttest": dict.fromkeys(POSTTEST, True),
}
