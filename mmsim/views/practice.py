"""The pages of lesson 01 as tables: worked, to practise on, and with a reference too many.

Interface: drawn_pages, worked, moments, leak_table, same_count
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mmsim.engine.trace import Trace
from mmsim.practice.benches import REGION, Bench, folio_at
from mmsim.practice.cases import cases, described
from mmsim.views.ledger import KNOWN, ledger
from mmsim.views.words import call, sentence

if TYPE_CHECKING:
    import pandas as pd


def drawn_pages(seed: int = 1) -> pd.DataFrame:
    """Five pages drawn from a seed: who refers to them, but not how often."""
    import pandas as pd

    drawn = cases(seed)
    rows = [described(bench) for bench in drawn.values()]
    return pd.DataFrame(rows, index=pd.Index(drawn, name="case"))


def worked(bench: Bench) -> pd.DataFrame:
    """The ledger of a page, added up line by line: what is expected first, then what is not."""
    import pandas as pd

    book = ledger(bench.run().last.world, REGION, check=KNOWN)
    assert book is not None
    rows, total = [], 0
    for expected in (True, False):
        for row in book.rows:
            if row.counted_on is expected:
                total += row.refs
                rows.append((row.holder, row.refs, total, "expected" if expected else "not"))
    columns = ["references", "sum so far", "does the caller expect it?"]
    index = pd.Index([name for name, *_ in rows], name="holder")
    return pd.DataFrame([row[1:] for row in rows], index=index, columns=columns)


def moments(trace: Trace) -> pd.DataFrame:
    """A run with one folio: each step that changes it in a sentence, and the count after it."""
    import pandas as pd

    rows: dict[int, tuple[int, int, str]] = {}
    for position in range(1, len(trace) + 1):
        folio = folio_at(trace, position)
        if position == 1 or folio != folio_at(trace, position - 1):
            rows[position] = (folio.refcount, folio.mapcount, sentence(trace.at(position)))
    index = pd.Index(rows, name="step")
    columns = ["refcount", "mapcount", "what has happened"]
    return pd.DataFrame(list(rows.values()), index=index, columns=columns)


def leak_table(trace: Trace) -> pd.DataFrame:
    """A run with one folio: who takes which step, and the count after it; no ledger."""
    import pandas as pd

    rows = []
    for position in range(1, len(trace) + 1):
        refs = folio_at(trace, position).refcount
        rows.append((trace.events[position - 1].actor, call(trace.at(position)), refs))
    index = pd.RangeIndex(1, len(rows) + 1, name="step")
    return pd.DataFrame(rows, index=index, columns=["who", "does", "refcount"])


def same_count(benches: Mapping[str, Bench]) -> pd.DataFrame:
    """Pages beside each other: their count, and what it is made of."""
    import pandas as pd

    rows = []
    for bench in benches.values():
        folio = bench.folio()
        held = [f"{who} {n}" for who, n in folio.held]
        cache = [f"page cache {folio.cache_refs}"] if folio.cache_refs else []
        maps = [f"mappings {folio.mapcount}"] if folio.mapcount else []
        rows.append((folio.refcount, folio.mapcount, ", ".join([*cache, *maps, *held])))
    columns = ["refcount", "mapcount", "who has them"]
    return pd.DataFrame(rows, index=pd.Index(benches, name="page"), columns=columns)
