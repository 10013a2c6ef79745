"""The pictures and the table that people have looked at, byte for byte, whatever the hash seed.

After a change that is meant, look at the new pictures and store them with

    PYTHONPATH=. python tests/views/test_views_golden.py

The pictures show the model's own source, so a change of a shown function changes them as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from view_states import run

from mmsim.scenarios.hosts import host
from mmsim.views.memory import memory
from mmsim.views.run_text import step_table, summary
from mmsim.views.state import state_picture

HERE = Path(__file__).parent
GOLDEN, ROOT = HERE / "golden", str(HERE.parents[1])
CHILD = "import json; from test_views_golden import made; print(json.dumps(made()))"


def made() -> dict[str, str]:
    """A state, a run and a zone."""
    trace = run("v2", released="1")
    return {
        "base_refused_at_the_check.html": state_picture(run("base").at(16)).html,
        "run_v2_released.txt": step_table(trace) + "\n" + summary(trace),
        "host.html": memory(host(host=64, cma=25, used=60, scattered=80).zone).html,
    }


@pytest.mark.parametrize("seed", ["1", "4242"])
def test_golden(seed: str) -> None:
    env = {"PYTHONHASHSEED": seed, "PATH": "", "SYSTEMROOT": ""}
    env["PYTHONPATH"] = os.pathsep.join((ROOT, str(HERE)))
    child = subprocess.run([sys.executable, "-c", CHILD], env=env, capture_output=True, check=True)
    found = json.loads(child.stdout)
    stored = {path.name: path.read_text(encoding="utf-8") for path in GOLDEN.iterdir()}
    assert sorted(found) == sorted(stored)
    for name, text in found.items():
        assert text == stored[name], f"look at {name}; if it is meant, store it (see above)"
        assert ROOT not in text


if __name__ == "__main__":
    for path in GOLDEN.iterdir():
        path.unlink()
    for file, text in made().items():
        (GOLDEN / file).write_text(text, encoding="utf-8", newline="\n")
