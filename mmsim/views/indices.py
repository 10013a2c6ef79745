"""The kernel's fragmentation indices of some free lists, beside what a pin could use of them.

Interface: indices_table, indices_sentence, PIN_SCOPE
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmsim.mm.fragmentation import (
    PIN_SCOPE_TYPES,
    extfrag_for_order,
    extfrag_index,
    pin_scope,
    printed,
    suitable,
    summed,
    unusable_index,
)
from mmsim.views.freearea import ALL_TYPES, FreeByType
from mmsim.views.words import plural, size_words

if TYPE_CHECKING:
    import pandas as pd

KERNEL = "the kernel's: all lists"
PIN_SCOPE = "mmsim's own: usable by a pin-scope request"
UNKNOWN = "not known: paste /proc/pagetypeinfo"


def indices_table(free_by_type: FreeByType, order: int) -> pd.DataFrame:
    """Blocks of `order` to be had and the three indices, over all lists and for a pin.

    ValueError for an order that the lists don't have."""
    import pandas as pd

    free = summed(free_by_type)
    mine = pin_scope(free_by_type, order)
    rows = {
        f"blocks of {size_words(1 << order)} to be had": (
            suitable(free, order),
            suitable(summed(free_by_type, PIN_SCOPE_TYPES), order),
        ),
        "unusable_index": (printed(unusable_index(free, order)), printed(mine.unusable_index)),
        "extfrag_index": (printed(extfrag_index(free, order)), printed(mine.extfrag_index)),
        "extfrag_for_order": (
            f"{extfrag_for_order(free, order)} %",
            f"{mine.extfrag_for_order} %",
        ),
    }
    cells = [(ours, UNKNOWN if ALL_TYPES in free_by_type else pin) for ours, pin in rows.values()]
    index = pd.Index(list(rows), name=f"order {order}", dtype=object)
    return pd.DataFrame(cells, index=index, columns=[KERNEL, PIN_SCOPE], dtype=object)


def _verdict(index: int) -> str:
    """What an extfrag_index is taken to say."""
    if index == -1000:
        return "a request would succeed"
    if index < 500:
        return "a request would fail, for want of memory"
    return "a request would fail, because free memory is in pieces"


def indices_sentence(free_by_type: FreeByType, order: int) -> str:
    """The indices in words; ValueError for an order that the lists don't have."""
    free = summed(free_by_type)
    unusable, extfrag = unusable_index(free, order), extfrag_index(free, order)
    said = (
        f"For order {order} unusable_index is {printed(unusable)}, and extfrag_index "
        f"{printed(extfrag)} says: {_verdict(extfrag)}."
    )
    if ALL_TYPES in free_by_type:
        return f"{said} What a long-term pin could use of it, this file does not tell."
    mine = suitable(summed(free_by_type, PIN_SCOPE_TYPES), order)
    blocks = f"{plural(mine, 'block')} of {size_words(1 << order)}"
    return f"{said} Usable by a pin-scope request (mmsim's number, not a kernel's): {blocks}."
