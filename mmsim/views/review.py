"""A review: what the list said, six cells to predict, what CMA's owner gets, also when measured.

Interface: list_said, cells_question, cells_happened, owner_question, owner_happened,
measured_requests
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmsim import errno
from mmsim.datafiles import load_csv
from mmsim.evidence.kernel_runs import AREA_PAGES
from mmsim.lessons import Answer, Prediction
from mmsim.scenarios import cma_alloc
from mmsim.series import REMARKS
from mmsim.views.decision_tables import decision_table
from mmsim.views.side_by_side import unbroken
from mmsim.views.tables import DIFFERS, frame, labels
from mmsim.views.words import size_words

if TYPE_CHECKING:
    import pandas as pd

FILE = "s11_cma_alloc_return_value.csv"
VARIANTS = ("base", "v1", "v2")


def list_said() -> pd.DataFrame:
    """Four remarks of reviewers on the first version, in our own words, with their Message-IDs."""
    rows = [(r.on, unbroken(r.said), r.became, r.message_id) for r in REMARKS]
    index = labels([r.who for r in REMARKS], "who")
    return frame(rows, index, ["on", "said", "what became of it", "Message-ID"])


CELLS = {
    "pin, reference": ("longterm_pin", "reference"),
    "pin, truncated": ("longterm_pin", "truncated"),
    "other, reference": ("other", "reference"),
}
STAYS = "stays"


def cells_question() -> Prediction:
    """Six cells of the decision table, to be predicted."""
    codes = (STAYS, "-ENOMEM", "-EAGAIN", "-EBUSY")
    names = [f"{version}, {cell}" for cell in CELLS for version in ("v1", "v2")]
    return Prediction("A refused split: what does migrate_pages() do?", dict.fromkeys(names, codes))


def cells_happened() -> dict[str, str]:
    """The same cells, by running the model."""
    table = decision_table(("v1", "v2"), detailed=True)
    found = {}
    for name, row in CELLS.items():
        for version in ("v1", "v2"):
            said = str(table.loc[row, version]).removeprefix(f"{DIFFERS} ")
            found[f"{version}, {name}"] = (
                STAYS if said.startswith(STAYS) else said.removeprefix("exit ")
            )
    return found


CALLS = (1, 5, 10, 50)
MEMORY, NOTHING = "memory", "nothing"


def owner_question() -> Prediction:
    """What becomes of a request of CMA's owner for the memory that a held huge page lies in."""
    choices: dict[str, tuple[Answer, ...]] = {
        **dict.fromkeys(("calls in base", "calls in v1"), CALLS),
        **dict.fromkeys(("base", "v1"), (MEMORY, NOTHING)),
    }
    question = "The owner asks for 2 MiB: how many calls of migrate_pages(), and what does it get?"
    return Prediction(question, choices)


def owner_happened() -> dict[str, Answer]:
    """The same, by running the model."""
    found: dict[str, Answer] = {}
    for version in ("base", "v1"):
        run = cma_alloc(version).run()
        calls = [event.op.kind.name for event in run.events].count("trace_mm_migrate_pages")
        found[f"calls in {version}"] = calls
        found[version] = MEMORY if run.results["owner"] >= 0 else NOTHING
    return found


def measured_requests() -> pd.DataFrame:
    """Measured requests for memory of a CMA area in which a huge page is held, with no free huge
    page elsewhere: refused splits and result, for a smaller and a larger request.

    Several runs of one kind give the same numbers, or the table would say so; their times differ
    and are left out."""
    found: dict[str, list[str]] = {}
    rows = [
        row
        for row in load_csv(f"kernel-runs/{FILE}")
        if (row["code"], row["alloc_mode"], row["held_ref"]) == ("oct22", "inject", "1")
    ]
    for pages in ("7168", "63488"):
        what = f"{size_words(int(pages))} of {size_words(AREA_PAGES)}"
        refused, results = [], []
        for variant in VARIANTS:
            here = [r for r in rows if (r["variant"], r["cma_alloc_pages"]) == (variant, pages)]
            refused.append(_same(f"{int(r['d_thp_split_page_failed']):,}" for r in here))
            results.append(_same(errno.name(int(r["write_errno"])) for r in here))
        found[f"{what}: refused splits"] = refused
        found[f"{what}: result"] = results
    return frame(list(found.values()), labels(found, "the owner asks for"), list(VARIANTS))


def _same(values: object) -> str:
    return " or ".join(dict.fromkeys(values))  # type: ignore[call-overload]
