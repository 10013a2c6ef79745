"""A right and a wrong answer to every task of the lessons."""

from __future__ import annotations

from mmsim.lessons.the_report import QUESTIONS
from mmsim.practice.unnamed import LABELS
from mmsim.scenarios import vfio_map
from mmsim.scenarios.hosts import host
from mmsim.scenarios.split_race import CLAIMS
from mmsim.tasks.lesson_04 import RESCUES
from mmsim.tasks.lesson_05_search import MUTANTS
from mmsim.tasks.lesson_06 import CALLERS, ENDS, PROMISES
from mmsim.tasks.lesson_08 import CHANGES, GAPS, SUPPORT
from mmsim.tasks.lesson_09 import POSTTEST

STRIPS = {"a": (1, 2, 0, 1, 0), "b": (4, 2, 1, 0, 0), "c": (2, 2, 1, 0, 0)}
GETS = {
    "huge page, for a process": "CMA",
    "huge page, for a long-term pin": "-ENOMEM",
    "single page, for a long-term pin": "ordinary memory",
}
REVIEW = ["Is the explanation right?", "Who else calls this function?", "The value of rc is lost."]


def keeps_the_code(version):
    return vfio_map(version, reason="syscall").run().results["migrate"] == -12


RIGHT = {
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
    "06.recall": {"renamed": "a", "first": "a", "two": "b"},
    "06.review": ["ok", "fine", "looks good to me"],
    "06.explain": dict(zip(ENDS, (3, 1, 3, 11), strict=True)),
    "06.callers": dict.fromkeys(CALLERS, True),
    "06.code": {"refused": 1, "pin": "-ENOMEM"},
    "06.regression": lambda version: vfio_map(version).run().results["pin"] == -12,
    "06.promises": dict.fromkeys(PROMISES, True),
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
