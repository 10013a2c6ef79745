"""Texts of /proc as a kernel prints them: the same columns, widths and blanks at line ends."""

from __future__ import annotations

import re
import textwrap

TYPES = ("Unmovable", "Movable", "Reclaimable", "HighAtomic", "CMA", "Isolate")
LIMIT = 100_000  # where pagetypeinfo stops counting


def buddyinfo(zones):
    """(node, zone, free blocks of each order) -> text."""
    return "".join(
        f"Node {node}, zone {zone:>8} " + "".join(f"{n:6d} " for n in free) + "\n"
        for node, zone, free in zones
    )


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
                capped = (f"{'>' * (n > LIMIT)}{min(n, LIMIT):6d} " for n in counts)
                text += "".join(capped) + "\n"
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
        names = ["min", "low", "high", "spanned", "present", "managed"]
        names = ["boost", *names, "cma"] if new else names
        text += "".join(f"\n        {name:<9}{f[name]}" for name in names)
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


def each(form):
    """Every line as the form says, with {} for it and {n} for its number."""
    return lambda text: "".join(
        form.format(line, n=n) + "\n" for n, line in enumerate(text.splitlines(), start=1)
    )


DRESSES = {
    "plain": str,
    "mail in mail": each(">> > {}"),
    "quoted printable": lambda text: "# a=3Db\n" + text.replace("Nor", "Nor=\n"),
    "syslog": each("Mar  4 10:31:07 box kernel: [ 22.07] {}"),
    "dmesg -T": each("[Mon Mar  4 10:31:07 2024] {}"),
    "levels": each("<6>[  22.07][ T12] {}"),
    "grep -n": each("out.txt:{n}:{}"),
    "cat -b": lambda text: each("  {n}\t{}")(text.replace("\n\n", "\n")),
    "list": each("* {}"),
    "table with a heading": lambda text: f"| line |\n|:---|\n{each('| {} |')(text)}",
    "chat": each("10:31 <@ann> {}"),
    "what is not seen": lambda text: each("\u200f{}\xad")(text.replace("0 ", "^[[7m0\x1b(B ")),
    "page of the web": lambda text: f"<!DOCTYPE html>\n<td>{text.replace(chr(10), '<br>')}</td>",
    "Python": repr,
    "terminal of 132 columns": lambda text: re.sub("(.{132})(?=.)", r"\1\n", text),
    "Kali": lambda text: f"└─$ uptime\n 10:31:07 up 3 days, load average: 0,5\n{text}b:~ # ",
    "org": lambda text: f"┌──\n6.1.0-18-amd64\n#+begin_src\n{text.replace('_', chr(92) + '_')}",
    "watch": lambda text: f"Every 2.0s: cat /proc/x      box: Mon Mar  4 10:31:07 2024\n\n{text}",
    "html": lambda text: f"<pre><code>{text.replace('>', '&gt;')}</code></pre>",
    "wiki": lambda text: f"{{code:bash}}\n{text}{{code}}\n----\n",
    "colours": lambda text: f"\x1b[32mann@box\x1b[0m:~$ cat x\n{text}",
    "wrapped": lambda text: "\n".join(
        "\n".join(textwrap.wrap(line, 70, break_long_words=False)) for line in text.splitlines()
    ),
    "heading": lambda text: f"## cat /proc/x\n# what it said\n{text}$ logout\n",
    "zsh": lambda text: f"➜  ~ cat /proc/x\n{text}➜  ~ ",
    "busybox": lambda text: f"/ # cat /proc/x\n{text}/ # \n",
    "environment": lambda text: f"(venv) ann@box:~ (main)$ cat /proc/x\n{text}(venv) ann@box:~$ ",
    "PowerShell": lambda text: f"PS C:\\Users\\ann> wsl cat /proc/x\n{text}PS C:\\Users\\ann>",
    "dmesg -x": each("kern  :warn  : [ 2207.023001] {}"),
    "dmesg -d": each("[ 2207.023001 <    0.000012>] {}"),
    "ts in brackets": each("[2024-03-04 10:31:07] {}"),
    "pdsh": each("node07: {}"),
    "grep -H": each("vmstat-before:{}"),
    "head": lambda text: f"==> /proc/x <==\n{text}",
    "less": lambda text: f"{text}(END)\n",
    "cat -A": each("{}$"),
    "diff": each("+{}"),
    "grep -C": lambda text: each("out.txt-{n}-{}")(text.replace("\n\n", "\n")),
    "date of a Frenchman": lambda text: f"lun. 04 mars 2024 10:31:07 CET\n{text}",
    "uname": lambda text: f"Linux box 6.1.0-18-amd64 #1 SMP Debian 6.1.76-1 x86_64\n{text}",
    "who wrote": lambda text: "On Mon, Ann <a@b.org> wrote:\n" + each("> {}")(text),
    "title of a window": lambda text: f"\x1b]0;ann@box\x07{text}",
    "script": lambda text: f"Script started on 2024\n# echo 3 > /proc/sys/vm/drop_caches\n{text}",
    "between prompts": lambda text: f"ann@box:~$ cat /proc/x\n{text}ann@box:~$ ",
    "root": lambda text: f"# cat /proc/x\n{text}#\n",
    "sudo": lambda text: (
        f"[ann@box ~]$ sudo cat /proc/x\n[sudo] password for ann: \n{text}[ann@box ~]$"
    ),
    "notebook": lambda text: f"In [3]: !cat /proc/x\n{text}",
    "command only": lambda text: f"cat /proc/x\n{text}",
}
"""In the ways that people paste a text; all of them must be read alike."""
