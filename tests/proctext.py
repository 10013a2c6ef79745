"""Texts of /proc as a kernel prints them: the same columns, widths and blanks at line ends."""

from __future__ import annotations

TYPES = ("Unmovable", "Movable", "Reclaimable", "HighAtomic", "CMA", "Isolate")
LIMIT = 100_000


def buddyinfo(zones):
    """(node, zone, free blocks of each order) -> text."""
    return "".join(
        f"Node {node}, zone {zone:>8} " + "".join(f"{n:6d} " for n in free) + "\n"
        for node, zone, free in zones
    )


def capped(blocks):
    """A number of pagetypeinfo: it stops counting at 100000."""
    return f"{'>' if blocks > LIMIT else ''}{min(blocks, LIMIT):6d} "


def pagetypeinfo(zones, *, pageblock_order=9, mixed=False):
    """(node, zone, type -> free blocks, type -> pageblocks) -> text; all headings for each node."""
    text = ""
    for node in dict.fromkeys(z[0] for z in zones):
        here = [z for z in zones if z[0] == node]
        types = list(here[0][3])
        orders = len(next(iter(here[0][2].values())))
        text += f"Page block order: {pageblock_order}\nPages per block:  {1 << pageblock_order}\n\n"
        text += f"{'Free pages count per migrate type at order ':<43}"
        text += "".join(f"{order:6d} " for order in range(orders)) + "\n"
        for _, zone, free, _ in here:
            for name, counts in free.items():
                text += f"Node {node:4d}, zone {zone:>8}, type {name:>12} "
                text += "".join(capped(n) for n in counts) + "\n"
        for what in ("Number of blocks type ", "Number of mixed blocks ")[: 1 + mixed]:
            text += f"\n{what:<23}" + "".join(f"{name:>12} " for name in types) + "\n"
            for _, zone, _, pageblocks in here:
                numbers = pageblocks.values() if "type" in what else [0] * len(types)
                text += f"Node {node}, zone {zone:>8} "
                text += "".join(f"{n:12d} " for n in numbers) + "\n"
    return text


def zoneinfo(zones, *, new=True):
    """(node, zone, fields) -> text; `new`: with the lines that came later."""
    text = ""
    seen = set()
    for node, zone, fields in zones:
        f = {"boost": 0, "cma": 0, "nr_free_cma": 0, **fields}
        text += f"Node {node}, zone {zone:>8}"
        if node not in seen and f["present"]:
            text += "\n  per-node stats\n      nr_inactive_anon 1942\n      nr_mapped    2716"
            seen.add(node)
        text += f"\n  pages free     {f['free']}"
        for name in ("boost",) if new else ():
            text += f"\n        {name:<9}{f[name]}"
        for name in ("min", "low", "high", "spanned", "present", "managed"):
            text += f"\n        {name:<9}{f[name]}"
        text += f"\n        cma      {f['cma']}" if new else ""
        text += "\n        protection: (0, 3019, 17227, 17227, 17227)\n"
        if not f["present"]:
            continue
        text += f"      nr_free_pages {f['free']}\n      nr_zone_inactive_anon 0\n"
        text += f"      nr_free_cma  {f['nr_free_cma']}\n      numa_hit     37836377\n"
        text += "  pagesets\n"
        for cpu in range(2):
            text += f"    cpu: {cpu}\n              count: 378\n              high:  1865\n"
            text += "              batch: 63\n  vm stats threshold: 24\n"
        text += f"  node_unreclaimable:  0\n  start_pfn:           {f['start_pfn']}\n"
    return text


def as_pasted(text, file):
    """The same text in the ways that people paste it; all of them must be read alike."""
    lines = text.splitlines()
    prompt = f"ann@box:~$ cat {file}\n"
    return {
        "plain": text,
        "windows": text.replace("\n", "\r\n"),
        "blank lines around": f"\n\n{text}\n\n",
        "between prompts": f"{prompt}{text}ann@box:~$ ",
        "root": f"# cat {file}\n{text}#\n",
        "sudo": f"[ann@box ~]$ sudo cat {file}\n[sudo] password for ann: \n{text}[ann@box ~]$",
        "notebook": f"In [3]: !cat {file}\n{text}",
        "command only": f"cat {file}\n{text}",
        "no blanks at line ends": "\n".join(line.rstrip() for line in lines),
        "indented, blank lines between": "\n\n".join(f"    {line}" for line in lines),
        "byte order mark": f"\ufeff{text}",
        "tabs": text.replace("      ", "\t"),
        "no-break spaces": text.replace(" ", "\u00a0"),
    }
