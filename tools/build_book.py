"""Build the book: pages that need no kernel, no server and no network.

usage: python tools/build_book.py [FOLDER]      (default: build/book)

The lessons are the stored notebooks, made alive by `alive.py`.  The other pages are texts of this
project, gathered here, and what the package says of its names.  Sphinx takes any warning for an
error, so a link between pages that leads nowhere is one."""

from __future__ import annotations

import ast
import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
from multiprocessing import Pool
from pathlib import Path

import nbformat
import pandas  # noqa: F401  here, and not in each process that makes a lesson
from alive import enliven
from build_teaching import table

import mmsim
from mmsim.lessons import COURSE
from mmsim.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[1]
DOCS, MM = ROOT / "docs", ROOT / "mmsim" / "mm"
# file of the project -> page of the book
PAGES = {
    "README.md": "design.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "docs/index.md": "index.md",
    "docs/search.md": "orders.md",  # search.html is the search of the book
    "docs/growth.svg": "growth.svg",
    "data/kernel-runs/README.md": "kernel-runs.md",
    "data/conformance/README.md": "vectors.md",
    **{
        file.relative_to(ROOT).as_posix(): f"teaching/{file.name}"
        for file in sorted((DOCS / "teaching").glob("*.md"))
    },
    **{f"notebooks/{one.stem}.ipynb": f"lessons/{one.stem}.ipynb" for one in COURSE},
}
LINK = re.compile(r"\[((?:[^][]|\[[^]]*\])*)\]\((?!https?:|#|mailto:)([^)\s#]+)(#[^)\s]*)?\)")
OF_README = ("Architecture", "Is the model right?", "At the command line", "Licences")
SOURCE = "https://elixir.bootlin.com/linux/{}/A/ident/{}"
# Names of the mirrored files that the kernel has not, and files that mirror no function.
OWN = {"allocated_pages", "entry_waits", "fault_in", "fault_waits", "frozen", "frozen_at", "pin"}
OWN |= {
    "next_migratable",
    "stretch",
    "trace_mm_migrate_pages",
    "trace_mm_migrate_pages_start",
    "unpin",
}
VALUES = ("actors.py", "boot.py", "folio.py", "fragmentation.py", "occupancy.py", "untouched.py")
VALUES += ("zone.py",)


# -- texts of the project


def linked(text: str, file: str) -> str:
    """A text whose links lead to pages of the book; what is no page stays as its words."""
    page = Path(PAGES[file])

    def link(match: re.Match[str]) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        found = PAGES.get(os.path.normpath(Path(file).parent / target))
        if found is None:
            return words if "`" in words else f"{words} (`{Path(target).name}`)"
        return f"[{words}]({os.path.relpath(found, page.parent)}{anchor})"

    return LINK.sub(link, text)


def section(text: str, title: str) -> str:
    """A section of a text in Markdown, with its heading."""
    heading = f"\n## {title}\n"
    return heading + text.partition(heading)[2].partition("\n## ")[0]


def texts() -> dict[str, str]:
    """The pages that stand in files of the project."""
    made = {}
    for file, page in PAGES.items():
        if page.endswith(".md"):
            text = (ROOT / file).read_text(encoding="utf-8")
            if file == "README.md":
                parts = "\n".join(section(text, title) for title in OF_README)
                text = f"# Design\n\n{parts}"
            made[page] = linked(text, file)
    return made


# -- the names that a learner types, and the kernel's


def prose(text: str) -> str:
    """A docstring as Markdown: only what stands in back quotes is marked."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*_<\[])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def name_page() -> str:
    """The public names: how each is called, what it does, its knobs."""
    parts = ["# Names to type", "`from mmsim import NAME`, in a notebook or in Python."]
    for name in mmsim.__all__:
        value = getattr(mmsim, name)
        if not callable(value):
            parts += [f"## {name}", f"`{value}`: the knobs of a situation that is quick to search."]
            continue
        call = f"{name}{inspect.signature(value)}".replace("'", "")
        text, _, _ = (inspect.getdoc(value) or "").partition("\n\nKnobs:")
        parts += [f"## {name}", f"```python\n{call}\n```", prose(text)]
        if name in SCENARIOS:
            rows = [
                [f"`{knob.name}`", f"`{knob.default}`", prose(knob.values), prose(knob.what)]
                for knob in SCENARIOS[name].knobs
            ]
            parts.append(table(["knob", "usual", "values", "meaning"], rows))
    return "\n\n".join(parts)


def kernel_page() -> str:
    """The functions that mirror one of the kernel's, with links into its source."""
    parts = [
        "# The kernel's functions",
        "The model's functions have the kernel's names, in files with the kernel's names. Each "
        "link leads to the function in the source of that release, on a site outside this book.",
    ]
    for file in sorted(MM.glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        about = ast.get_docstring(tree) or ""
        if "Mirrors" not in about:
            continue
        rows = []
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef) or re.match("_[^_]", node.name):
                continue
            text = " ".join((ast.get_docstring(node) or "").split())
            told, _, where = text.partition("Kernel: ")
            names = re.findall(r"\b([a-z_]\w+)\(\)", where.partition("Left out")[0])
            if not where and file.name not in VALUES and node.name not in OWN:
                names = [node.name]
            if names:
                release = "v6.12" if "6_12" in file.name or "6.12" in where else "v6.1"
                links = ", ".join(f"[{n}()]({SOURCE.format(release, n)})" for n in names)
                first = re.split(r"(?<=[.?])\s", told.partition("Left out")[0])[0]
                rows.append([f"`{node.name}`", prose(first), links])
        if rows:
            parts += [f"## mmsim/mm/{file.name}", prose(about.partition("\n")[0])]
            parts.append(table(["in the model", "what it does", "in the kernel"], rows))
    return "\n\n".join(parts)


# -- all of it


def toctree(title: str, pages: list[str]) -> str:
    """A part of the table of contents."""
    return "\n".join(["", f"## {title}", "", "```{toctree}", ":maxdepth: 1", *pages, "```", ""])


def contents() -> str:
    """The table of contents."""
    lessons = [page for page in PAGES.values() if page.startswith("lessons/")]
    teaching = [page for page in PAGES.values() if page.startswith("teaching/")]
    return (
        toctree("Lessons", lessons)
        + (toctree("Teaching", teaching) if teaching else "")
        + toctree("How the truth was measured", ["kernel-runs.md", "vectors.md", "orders.md"])
        + toctree("The package", ["names.md", "kernel.md"])
        + toctree("The project", ["design.md", "contributing.md", "changelog.md"])
    )


def lesson(stem: str, folder: Path) -> None:
    """Write the page of a lesson, alive; a process for each, as answers stay in its cards."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4)
    enliven(notebook)
    nbformat.write(notebook, folder / f"{stem}.ipynb")


def gather(folder: Path) -> None:
    """Put the sources of all pages into a folder."""
    made = texts()
    made["index.md"] += contents()
    made |= {"names.md": name_page(), "kernel.md": kernel_page()}
    for page, text in made.items():
        (folder / page).parent.mkdir(exist_ok=True)
        (folder / page).write_text(text, encoding="utf-8")
    shutil.copy(DOCS / "growth.svg", folder)
    (folder / "lessons").mkdir()
    jobs = [(one.stem, folder / "lessons") for one in reversed(COURSE)]  # the last take longest
    with Pool(maxtasksperchild=1) as pool:
        pool.starmap(lesson, jobs, chunksize=1)


def build(out: Path) -> None:
    """Build by a temporary name, so that a build that fails leaves the old book whole."""
    out.parent.mkdir(parents=True, exist_ok=True)
    print("The model is asked everything; that takes a minute.", flush=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".book-") as work:
        source, made = Path(work, "source"), Path(work, "book")
        source.mkdir()
        gather(source)
        words = ["sphinx", "-q", "-W", "--keep-going", "-j", "2", "-b", "html"]
        places = ["-c", str(DOCS), "-d", f"{work}/doctrees", str(source), str(made)]
        if subprocess.run([sys.executable, "-m", *words, *places], check=False).returncode:
            raise SystemExit("the book was not built: see the warnings above")
        shutil.rmtree(out, ignore_errors=True)
        made.rename(out)
    print(f"open {out / 'index.html'}")


if __name__ == "__main__":
    build(Path(sys.argv[1] if sys.argv[1:] else ROOT / "build" / "book").absolute())
