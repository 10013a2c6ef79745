"""Text of /proc/buddyinfo, /proc/pagetypeinfo and /proc/zoneinfo, pasted by somebody, as values.

Interface: parse_buddyinfo, parse_pagetypeinfo, parse_zoneinfo, read_memory, Pasted,
zone_of, BuddyZone, PageTypeZone, ZoneInfo, PasteError

The text is that of mm/vmstat.c, 6.1-rc1; other kernels are understood as long as they print the
same kind of line: any number of orders, more migratetypes, fewer or more numbers.  Each parser
answers one value for each zone, in the order of the text, or raises PasteError with one sentence
that names the line; there is no half answer.  A text cut inside its last number, or between two
zones or nodes, can't be told from a whole one, nor can a single line of buddyinfo cut behind so
many counts that a kernel with large pages might have no more.
"""

from mmsim.procfs.buddyinfo import BuddyZone, parse_buddyinfo
from mmsim.procfs.pagetypeinfo import PageTypeZone, parse_pagetypeinfo
from mmsim.procfs.pasted import Pasted, read_memory
from mmsim.procfs.text import PasteError
from mmsim.procfs.zoneinfo import ZoneInfo, parse_zoneinfo
from mmsim.procfs.zones import zone_of

__all__ = [
    "BuddyZone",
    "PageTypeZone",
    "PasteError",
    "Pasted",
    "ZoneInfo",
    "parse_buddyinfo",
    "parse_pagetypeinfo",
    "parse_zoneinfo",
    "read_memory",
    "zone_of",
]
