"""The simple textbook allocator: one entry a page, and a search from the bottom for each request.

It gives aligned blocks and takes them back; it has no lists, no types and nothing lazy.
"""

from __future__ import annotations


class NaiveZone:
    """`held[pfn]` is the order of the block that begins or lies there, None for a free page."""

    def __init__(self, nr_pages: int) -> None:
        self.held: list[int | None] = [None] * nr_pages

    def alloc(self, order: int) -> int | None:
        size = 1 << order
        for pfn in range(0, len(self.held), size):
            if all(page is None for page in self.held[pfn : pfn + size]):
                self.held[pfn : pfn + size] = [order] * size
                return pfn
        return None

    def free(self, pfn: int, order: int) -> None:
        size = 1 << order
        self.held[pfn : pfn + size] = [None] * size
