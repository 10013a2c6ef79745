"""From counters that moved back to what may have happened.

Interface: diagnose, explain, read, load, delta, Delta, Diagnosis, DiagnoseError

The answers are not written down anywhere: small situations are searched in every version, and each
way to end is compared with what is given.
"""

from __future__ import annotations

from mmsim.diagnose.explain import Diagnosis, explain
from mmsim.diagnose.reading import Delta, DiagnoseError, delta, load, read

__all__ = ["Delta", "DiagnoseError", "Diagnosis", "delta", "diagnose", "explain", "load", "read"]


def diagnose(
    before: str, after: str | None = None, kernel: str | None = None, *, rarer: bool = False
) -> Diagnosis:
    """Which paths explain what moved between two texts of /proc/vmstat, or a list of counters.

    `kernel`: a version or policy of the model; all versions if there is none.  `rarer`: search
    rarer situations even if others explain everything.  Raises ValueError, in one sentence, for a
    text or a name that can't be used."""
    return explain(read(before, after), kernel, rarer=rarer)
