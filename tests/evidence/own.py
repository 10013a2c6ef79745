"""A folio as vectors write it."""

from __future__ import annotations

from typing import Any


def folio(name: str = "A", order: int = 9, **fields: Any) -> dict[str, Any]:
    """One entry of `setup.folios`."""
    return {"name": name, "order": order, **fields}
