"""Pictures and tables are the same text whatever the hash seed, and name no path.

What they show is compared where a reader sees it: the stored lessons hold every kind of picture."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from view_states import run

from mmsim.scenarios.host import host
from mmsim.views.memory import memory
from mmsim.views.run import step_table, summary
from mmsim.views.state import state_picture

HERE = Path(__file__).parent
ROOT = str(HERE.parents[1])


def made() -> str:
    """A state, a run and a zone."""
    trace = run("v2", released="1")
    zone = host(host=64, cma=25, used=60, scattered=80).zone
    texts = (state_picture(run("base").at(16)).svg, step_table(trace), summary(trace))
    return "\n".join((*texts, memory(zone).svg))


def test_two_seeds_make_the_same_text() -> None:
    env = {"PATH": "", "SYSTEMROOT": "", "PYTHONPATH": os.pathsep.join((ROOT, str(HERE)))}
    words = (sys.executable, "-c", "from test_hash_seed import made; print(ascii(made()))")
    seeds = ("1", "4242")
    (text,) = {subprocess.check_output(words, env=env | {"PYTHONHASHSEED": s}) for s in seeds}
    assert len(text) > 10_000
    assert ascii(ROOT)[1:-1].encode() not in text
