"""A right and a wrong answer to every task of the lessons."""

from __future__ import annotations

from mmsim.lessons.the_report import QUESTIONS
from mmsim.practice.benches import workbench
from mmsim.practice.loans import lending
from mmsim.practice.unnamed import LABELS
from mmsim.scenarios import vfio_map
from mmsim.scenarios.hosts import host
from mmsim.tasks.lesson_04 import RESCUES
from mmsim.tasks.lesson_06 import CALLERS, ENDS, PROMISES
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
REVIEW = ["Is the explanation right?", "Who else calls this function?", "The value of rc is lost."]


def keeps_the_code(version):
    return vfio_map(version, reason="syscall").run().results["migrate"] == -12


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
    "04.pair": vfio_map("base", stranger=0, trouble="nomem"),
    "04.recall": {"count": "b", "ends": "c", "failed": "b"},
    "04.second": {"reference check": 1, "freeze": 0},
    "04.order": ["lock", "look", "unmap", "freeze", "cut", "unlock"],
    "04.rescues": dict(zip(RESCUES, (1, 2, 4, 10, 11), strict=True)),
    "04.longer": "later",
    "04.window": 8,
    "04.left": {
        ("base", "not split"): True,
        ("base", "piece missed"): True,
        ("base", "mapped"): False,
        ("v2", "not split"): True,
        ("v2", "piece missed"): True,
        ("v2", "mapped"): True,
    },
    "04.posttest": {name: name in ("errno", "counter") for name in QUESTIONS},
    "06.recall": {"renamed": "b", "first": "a", "two": "b"},
    "06.review": [
        "Is the explanation right?",
        "Who else calls this function?",
        "The value of rc is lost.",
    ],
    "06.explain": dict(zip(ENDS, (0, 1, 3, 11), strict=True)),
    "06.callers": dict(zip(CALLERS, (False, True, False), strict=True)),
    "06.code": {"refused": 10, "pin": "-ENOMEM"},
    "06.regression": keeps_the_code,
    "06.promises": {name: holds for name, (holds, _) in PROMISES.items()},
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
    "04.pair": vfio_map("base"),
    "04.recall": {"count": "b", "ends": "c", "failed": "a"},
    "04.second": {"reference check": 0, "freeze": 0},
    "04.order": ["lock", "freeze", "look", "unmap", "cut", "unlock"],
    "04.rescues": dict(zip(RESCUES, (0, 1, 3, 9, 10), strict=True)),
    "04.longer": "same",
    "04.window": 5,
    "04.left": {
        (version, end): (version, end) != ("v2", "not split")
        for version in ("base", "v2")
        for end in ("not split", "piece missed", "mapped")
    },
    "04.posttest": dict.fromkeys(QUESTIONS, False),
    "06.recall": {"renamed": "a", "first": "a", "two": "b"},
    "06.review": ["ok", "fine", "looks good to me"],
    "06.explain": dict(zip(ENDS, (3, 1, 3, 11), strict=True)),
    "06.callers": dict.fromkeys(CALLERS, True),
    "06.code": {"refused": 1, "pin": "-ENOMEM"},
    "06.regression": lambda version: vfio_map(version).run().results["pin"] == -12,
    "06.promises": dict.fromkeys(PROMISES, True),
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
