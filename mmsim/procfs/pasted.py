"""Text of one of the three files, whichever it is.

Interface: read_memory, Pasted
"""

from __future__ import annotations

from typing import NamedTuple

from mmsim.procfs.buddyinfo import BuddyZone, parse_buddyinfo
from mmsim.procfs.pagetypeinfo import PageTypeZone, parse_pagetypeinfo
from mmsim.procfs.text import BUDDYINFO, PAGETYPEINFO, ZONEINFO, file_of
from mmsim.procfs.zoneinfo import ZoneInfo, parse_zoneinfo


class Pasted(NamedTuple):
    """What somebody pasted: which file it is, and its zones."""

    file: str
    zones: tuple[BuddyZone, ...] | tuple[PageTypeZone, ...] | tuple[ZoneInfo, ...]


def read_memory(text: str) -> Pasted:
    """The zones of a pasted /proc/buddyinfo, /proc/pagetypeinfo or /proc/zoneinfo.

    PasteError, with the sentence of the file that the text looks like, for anything else."""
    file = file_of(text)
    if file == PAGETYPEINFO:
        return Pasted(file, parse_pagetypeinfo(text))
    if file == ZONEINFO:
        return Pasted(file, parse_zoneinfo(text))
    return Pasted(BUDDYINFO, parse_buddyinfo(text))
