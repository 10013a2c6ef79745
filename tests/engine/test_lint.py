"""The lint refuses every shape that hides state from the search, and passes every shape in use."""

from __future__ import annotations

import textwrap
from pathlib import Path

import lint
import pytest

import mmsim

PACKAGE = Path(mmsim.__file__).parent
# Whoever has a path of an actor says so in its type.
PATHS = sorted(file for file in PACKAGE.rglob("*.py") if "Generator[Op" in file.read_text("utf-8"))

BAD = {
    "operand": "total = (yield a()) + (yield b())",
    "argument of a path": "yield from f((yield a()))",
    "augmented assignment": "x += yield a()",
    "return": "return (yield a())",
    "default of an inner function": "def g(x=(yield a())):\n    pass",
    "lambda": "x = lambda: (yield a())",
    "try": "try:\n    yield a()\nexcept ValueError:\n    pass",
    "with": "with x:\n    yield a()",
    "loop over a literal": "for x in (1, 2):\n    yield a()",
    "loop over a name": "for x in xs:\n    yield a(x)",
    "loop over a call": "for i, x in enumerate(f()):\n    yield a()",
    "range of a call": "for i in range(len(xs)):\n    yield a()",
    "enumerate without index": "for pair in enumerate(xs):\n    yield a()",
    "index is overwritten by the item": "for i, (i, x) in enumerate(xs):\n    yield a()",
    "index goes to a field": "for x.i in range(3):\n    yield a()",
    "loop rebinds its list": "for i, x in enumerate(xs):\n    yield a()\n    xs = []",
    "loop rebinds its index": "for i in range(3):\n    yield a()\n    i = 0",
    "loop rebinds its bound": "for i in range(n):\n    yield a()\n    n -= 1",
    "inner function rebinds": (
        "for i in range(3):\n    def g():\n        nonlocal i\n        i = 0\n    yield a()"
    ),
    "yield from a tuple": "yield from (a(), b())",
    "yield from a name": "yield from xs",
    "yield from a generator expression": "yield from (a() for i in range(3))",
}

GOOD = {
    "if": "if (yield a()):\n    pass",
    "while": "while (yield a()):\n    yield b()",
    "path of an object": "x = yield from f.g()",
    "enumerate from 1": "for i, x in enumerate(xs, start=1):\n    yield a(x)",
    "range downwards": "for i in range(n, -1, -1):\n    yield a()",
    "loop without a yield": "for x in f(y):\n    g(x)\nyield a()",
    "try without a yield": "try:\n    f()\nfinally:\n    g()\nyield a()",
    "yield in an inner function only": "for x in xs:\n    def g():\n        yield a()",
    "after the loop": "for i in range(3):\n    yield a()\nelse:\n    i = 1\n    yield b()",
    "while rebinds": "while todo:\n    x = todo.pop()\n    yield a(x)",
}


def inside_a_function(body: str) -> str:
    return "def path(x, y, n, xs, ys, todo):\n" + textwrap.indent(body, "    ") + "\n"


@pytest.mark.parametrize("shapes", [BAD, GOOD], ids=["hides", "shows"])
def test_what_hides_something_is_told_and_nothing_else(shapes):
    told = [name for name, body in shapes.items() if lint.problems(inside_a_function(body), "x.py")]
    assert told == ([*BAD] if shapes is BAD else [])


def test_a_problem_says_where_what_and_what_to_write_instead():
    """Also in a function inside a method."""
    source = "class C:\n    def m(self):\n        def path():\n            x += yield a()\n"
    assert lint.problems(source, "some/path.py") == [f"some/path.py:4: {lint.PLACE}"]


def test_the_kernel_paths_have_the_shape():
    assert len(PATHS) > 10
    assert [told for file in PATHS for told in lint.problems(file.read_text("utf-8"), file)] == []
