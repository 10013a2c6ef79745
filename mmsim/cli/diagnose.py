"""`mmsim diagnose`: which paths explain the counters that moved.

Interface: diagnose_arguments, diagnose
"""

from __future__ import annotations

import argparse
import json

from mmsim.mm.versions import POLICIES, VERSIONS


def diagnose_arguments(parser: argparse.ArgumentParser) -> None:
    """Two texts, or one with what moved."""
    parser.add_argument(
        "before",
        metavar="BEFORE",
        help="/proc/vmstat before; or alone: lines such as 'thp_migration_fail +1', "
        "or a trace with lines of mm_migrate_pages; - reads standard input",
    )
    parser.add_argument("after", metavar="AFTER", nargs="?", help="/proc/vmstat afterwards")
    known = ", ".join((*VERSIONS, *POLICIES))
    parser.add_argument("--kernel", metavar="V", help=f"only this version: {known}")
    parser.add_argument("--all", action="store_true", help="rarer situations, too, and every path")
    parser.add_argument("--json", action="store_true", help="print the same as JSON")


def diagnose(args: argparse.Namespace) -> int:
    """`mmsim diagnose`; returns the exit status: 1 if no path of the model explains it."""
    from mmsim.diagnose import explain, load, read
    from mmsim.views import diagnosis

    texts = [load(name) for name in (args.before, args.after) if name is not None]
    names = (_told(args.before), _told(args.after or ""))
    delta = read(texts[0], texts[1] if len(texts) > 1 else None, names)
    found = explain(delta, args.kernel, rarer=args.all)
    if args.json:
        print(json.dumps(diagnosis.as_json(found), indent=1))
    else:
        groups_max = len(found.groups) if args.all else diagnosis.GROUPS_MAX
        print(diagnosis.report(found, groups_max=groups_max), end="")
    return int(not found.explained)


def _told(name: str) -> str:
    return "standard input" if name == "-" else name
