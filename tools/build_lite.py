"""Build the browser edition: JupyterLite with Pyodide, the lessons, and all that they need.

usage: build_lite.py NODE_MODULES SITE     (in .venv-lite: `make lite`)

Pyodide is npm's, its packages are the pure Python wheels of requirements/pyodide.txt, and the lock
that Pyodide reads is written for these files.  A page asks nobody else, but for matplotlib: it has
no such wheel, so a cell that imports it fetches it from where Pyodide is published."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = "@jupyterlite/pyodide-kernel-extension"
CORE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
HOSTED = "https://cdn.jsdelivr.net/pyodide/v{}/full/"
# JupyterLite brings a stand-in for the first; the second is for the page, not for the kernel.
LEFT_OUT = ("widgetsnbextension", "jupyterlab_widgets")
BANNER = (
    "> **mmsim {version}, in your browser.** Nothing is stored: reloading or closing this page"
    " loses your answers. To keep them, choose *File*, then *Download*. Only matplotlib comes from"
    " the network, when a cell imports it. Tables have few of the methods of pandas."
)


def wheels(folder: Path) -> None:
    """Put every package of the kernel into a folder, ours with the stand-in for pandas."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    for_any = ["--only-binary=:all:", "--platform=any", "--abi=none", "--python-version=3.14"]
    locked = ["--no-deps", "--require-hashes", "-r", ROOT / "requirements" / "pyodide.txt"]
    subprocess.run([*pip, "download", *for_any, *locked, "--dest", folder], check=True)
    ours = ["wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", folder, ROOT]
    subprocess.run([*pip, *ours], check=True)
    with ZipFile(next(folder.glob("mmsim_lessons-*.whl")), "a") as wheel:
        wheel.write(ROOT / "tools" / "lite" / "pandas.py", "pandas.py")
    for wheel in folder.glob("*.whl"):
        if wheel.name.startswith(LEFT_OUT):
            wheel.unlink()
    extension = Path(sys.prefix, "share", "jupyter", "labextensions", PLUGIN, "static", "pypi")
    for wheel in extension.glob("*.whl"):
        if not wheel.name.startswith("widgetsnbextension-3"):
            shutil.copy(wheel, folder)


def pyodide(npm: Path, folder: Path) -> list[str]:
    """Lay out Pyodide with its packages and the lock; give the names of those to load at once."""
    folder.mkdir(parents=True)
    for name in CORE:
        shutil.copy(npm / name, folder)
    wheels(folder)
    lock = json.loads((npm / "pyodide-lock.json").read_text())
    there, packages = lock["packages"], {}
    for wheel in sorted(folder.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        name = name.replace("_", "-").lower()
        packages[name] = {
            "name": name,
            "version": version,
            "file_name": wheel.name,
            "install_dir": "site",
            "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
            "package_type": "package",
            "imports": [],
            "depends": [],
            "unvendored_tests": False,
        }
    wanted = ["matplotlib"]
    base = HOSTED.format(json.loads((npm / "package.json").read_text())["version"])
    for name in wanted:  # grows by what each needs
        found = there[name]
        wanted += [need for need in found["depends"] if need not in [*wanted, *packages]]
        packages.setdefault(name, {**found, "file_name": base + found["file_name"]})
    (folder / "pyodide-lock.json").write_text(json.dumps({**lock, "packages": packages}))
    return [name for name, each in packages.items() if "://" not in each["file_name"]]


def lessons(folder: Path, version: str) -> None:
    """Both editions, each with a cell on top that says what this page is."""
    for source in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        notebook = json.loads(source.read_text(encoding="utf-8"))
        told = BANNER.format(version=version)
        cell = {"cell_type": "markdown", "id": "edition", "metadata": {}, "source": told}
        notebook["cells"].insert(0, cell)
        notebook["metadata"]["kernelspec"] = {"display_name": "Python (Pyodide)", "name": "python"}
        target = folder / source.relative_to(ROOT / "notebooks")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(notebook, ensure_ascii=False), encoding="utf-8")


def front(site: Path, version: str) -> None:
    """The front page: what this is, and the lessons."""
    from mmsim.lessons import COURSE

    line = '<li><a href="notebooks/index.html?path={0.stem}.ipynb">{0.title}</a></li>'
    page = (ROOT / "tools" / "lite" / "index.html").read_text(encoding="utf-8")
    page = page.replace("{version}", version)
    page = page.replace("{lessons}", "\n".join(line.format(each) for each in COURSE))
    (site / "index.html").write_text(page, encoding="utf-8")


def build(npm: Path, site: Path) -> None:
    """Build the site anew; the old one stays until the new one is whole."""
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        loaded = pyodide(npm, work / "static" / "pyodide")
        version = next((work / "static").rglob("mmsim_lessons-*.whl")).name.split("-")[1]
        lessons(work / "files", version)
        settings = {
            "pyodideUrl": "./static/pyodide/pyodide.mjs",
            "disablePyPIFallback": True,
            "loadPyodideOptions": {"packages": loaded},
        }
        config = {
            "appName": f"mmsim {version}",
            "enableMemoryStorage": True,
            **{
                f"{kind}StorageDrivers": ["memoryStorageDriver"]
                for kind in ("contents", "settings", "workspaces")
            },
            "litePluginSettings": {f"{PLUGIN}:kernel": settings},
        }
        whole = {"jupyter-lite-schema-version": 0, "jupyter-config-data": config}
        (work / "jupyter-lite.json").write_text(json.dumps(whole))
        words = ["build", "--lite-dir", work, "--output-dir", work / "site", "--no-libarchive"]
        words += ["--contents", work / "files", "--no-sourcemaps", "--apps", "lab"]
        words += ["--apps", "notebooks", "--no-unused-shared-packages"]
        command = [sys.executable, "-m", "jupyterlite_core", *words]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        front(work / "site", version)
        shutil.rmtree(site, ignore_errors=True)
        site.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(work / "site", site)


if __name__ == "__main__":
    build(Path(sys.argv[1]) / "pyodide", Path(sys.argv[2]))
    files = [file for file in Path(sys.argv[2]).rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    print(f"{sys.argv[2]}: {len(files)} files, {size / 1e6:.0f} MB")
