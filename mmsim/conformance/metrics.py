"""Group metrics: fragmentation indices of given free lists.

Interface: run_metrics
"""

from __future__ import annotations

from typing import Any

from mmsim.fragmentation import extfrag_for_order, extfrag_index, summed, unusable_index
from mmsim.mm.versions import Version

ORDERS = 11


def run_metrics(
    vector: dict[str, Any], version: Version, expected: dict[str, Any]
) -> dict[str, Any]:
    """Group metrics: the indices of each order asked for; they are the same in every version."""
    free = summed(
        {
            name: [blocks.get(str(order), 0) for order in range(ORDERS)]
            for name, blocks in {"MOVABLE": {}, **vector["setup"]["free_blocks"]}.items()
        }
    )
    return {
        "indices": [
            {
                "order": order,
                "unusable_index": unusable_index(free, order),
                "extfrag_index": extfrag_index(free, order),
                "extfrag_for_order": extfrag_for_order(free, order),
            }
            for order in vector["operation"]["orders"]
        ]
    }
