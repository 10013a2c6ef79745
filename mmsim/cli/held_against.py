"""`mmsim conformance` and `mmsim compare`: the model against what it did not make.

Interface: conformance_arguments, conformance, compare_arguments, compare
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from mmsim.compare import COMPARED, NOT_COMPARED, FileComparison, compare_file
from mmsim.conformance import FileReport, check_file

SHOWN_MAX = 20


def conformance_arguments(parser: argparse.ArgumentParser) -> None:
    """The files."""
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path, help="vector files")
    parser.add_argument("--json", action="store_true", help="print the same as JSON")


def conformance(args: argparse.Namespace) -> int:
    """`mmsim conformance`; returns the exit status."""
    reports = [check_file(file) for file in args.files]
    wrong = sum(len(report.mismatches) for report in reports)
    if args.json:
        print(
            json.dumps({"files": [_report_json(r) for r in reports], "mismatches": wrong}, indent=1)
        )
        return int(wrong > 0)
    for report in reports:
        for mismatch in report.mismatches:
            print(mismatch)
    for report in reports:
        print(
            f"{report.file}: {report.vectors} vectors, {report.pairs} (vector, version) pairs, "
            f"{len(report.mismatches)} mismatches"
        )
    return int(wrong > 0)


def _report_json(report: FileReport) -> dict[str, Any]:
    mismatches = [mismatch._asdict() for mismatch in report.mismatches]
    return {**report._asdict(), "mismatches": mismatches}


def compare_arguments(parser: argparse.ArgumentParser) -> None:
    """The files, or none for all."""
    parser.add_argument("files", nargs="*", metavar="FILE", help=f"default: {' '.join(COMPARED)}")
    parser.add_argument("--json", action="store_true", help="print the same as JSON")


def compare(args: argparse.Namespace) -> int:
    """`mmsim compare`; returns the exit status."""
    comparisons = [compare_file(name) for name in args.files or COMPARED]
    if args.json:
        print(json.dumps([_comparison_json(c) for c in comparisons], indent=1))
    else:
        for comparison in comparisons:
            _print_comparison(comparison)
        if not args.files:
            print("not compared:")
            for name, why in NOT_COMPARED.items():
                print(f"  {name}: {why}")
    return int(any(comparison.having("disagree") for comparison in comparisons))


def _print_comparison(comparison: FileComparison) -> None:
    agree, explained, disagree = map(comparison.having, ("agree", "explained", "disagree"))
    print(
        f"{comparison.file}: {len(comparison.rows)} rows; {len(agree)} agree, "
        f"{len(explained)} explained, {len(disagree)} disagree ({comparison.numbers} numbers)"
    )
    read_off = sorted({name for row in comparison.rows for name in row.read_off})
    predicted = dict.fromkeys(name for row in agree for name in row.predicted)
    print(f"  read off the row: {', '.join(read_off) or 'nothing'}")
    print(f"  predicted: {', '.join(predicted)}")
    print(f"  not used: {_not_used(comparison) or 'nothing'}")
    skipped = comparison.having("skipped")
    for why in sorted({row.why for row in skipped}):
        print(f"  not compared: {sum(row.why == why for row in skipped)} rows; {why}")
    for note in comparison.notes:
        print(f"  {note}")
    if len(explained) > SHOWN_MAX:  # what is alike is told once
        for why in sorted({row.why for row in explained}):
            print(f"  explained: {sum(row.why == why for row in explained)} rows; {why}")
        explained = []
    for row in (explained + disagree)[:SHOWN_MAX]:
        numbers = ", ".join(
            f"{name} predicted {row.predicted[name]}, measured {row.measured[name]}"
            for name in row.differing
        )
        print(
            f"  line {row.number} ({row.version}): {row.verdict}: {numbers}"
            + (f"; {row.why}" if row.why else "")
        )


def _not_used(comparison: FileComparison) -> str:
    """Columns with the reason, those with the same reason together."""
    columns: dict[str, list[str]] = {}
    for name, why in comparison.not_used:
        columns.setdefault(why, []).append(name if name.isprintable() else repr(name))
    return "; ".join(f"{', '.join(names)} ({why})" for why, names in columns.items())


def _comparison_json(comparison: FileComparison) -> dict[str, Any]:
    return {
        "file": comparison.file,
        "numbers": comparison.numbers,
        **{v: len(comparison.having(v)) for v in ("agree", "explained", "disagree", "skipped")},
        "notes": comparison.notes,
        "not_used": dict(comparison.not_used),
        "rows": [{**row._asdict(), "differing": row.differing} for row in comparison.rows],
    }
