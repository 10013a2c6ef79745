"""A JupyterLab server, and a page of a real browser in front of it.  See conftest.py.

To load JupyterLab costs more than a lesson does, so one page opens one lesson after the other."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, expect

BROWSER_FLAGS = ["--disable-gpu", "--disable-quic"]  # Playwright has more of its own
# Whoever asks somebody else than this machine gets no answer, and the test sees that it asked.
NOBODY_ELSE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
# A learner has not the first one; the second looks for programs of other languages.
NOT_NEEDED = ("jupyterlab_jupytext", "jupyter_lsp")
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
THEMES = ("JupyterLab Light", "JupyterLab Dark")
PICTURE = "div:has(> div > svg[role=img])"  # one or several columns, side by side
SECONDS_MAX = 180
EMPTY = "about:blank"
# Generous: a test of what happens, not of how quickly.
expect.set_options(timeout=60_000)
SETTINGS = {
    # No pop-up may cover the lesson.
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # Cells out of sight are part of the page too.
    "notebook-extension/tracker": {"windowingMode": "none"},
}


class Server:
    """JupyterLab on a free port of this machine, with folders of its own and a token."""

    def __init__(self, root: Path):
        self.work = root / "work"
        self.work.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.token = secrets.token_hex(16)
        env = {name: os.environ[name] for name in os.environ if not name.startswith("JUPYTER")}
        env["JUPYTER_TOKEN"] = self.token  # not on the command line
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
            env[name] = str(root / name)
        for name, content in SETTINGS.items():
            folder = root / "JUPYTER_CONFIG_DIR" / "lab" / "user-settings" / "@jupyterlab"
            path = folder / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
        words = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1"]
        words += [f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0"]
        words += [f"--ServerApp.root_dir={self.work}", "--LabApp.extension_manager=readonly"]
        words += [f"--ServerApp.jpserver_extensions={name}=False" for name in NOT_NEEDED]
        words += ["--LabApp.expose_app_in_browser=True", "--allow-root"]
        self._log = (root / "server.log").open("wb")
        self._process = subprocess.Popen(words, stdout=self._log, stderr=self._log, env=env)
        until = time.monotonic() + SECONDS_MAX
        while time.monotonic() < until and self._process.poll() is None:
            try:
                self.ask("GET", "status")
                return
            except OSError:
                time.sleep(0.2)
        self.stop()
        raise RuntimeError("JupyterLab did not start: " + (root / "server.log").read_text()[-2000:])

    def ask(self, method: str, what: str) -> Any:
        """What its own interface answers."""
        url = f"http://127.0.0.1:{self.port}/api/{what}?token={self.token}"
        asked = urllib.request.Request(url, method=method)
        with urllib.request.urlopen(asked, timeout=SECONDS_MAX) as answer:
            return json.loads(answer.read() or "null")

    def stop(self) -> None:
        """End the server; it ends its kernels."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        self._process.kill()
        self._process.wait()
        self._log.close()


class Lab:
    """A page of JupyterLab, with one lesson open."""

    folders = count()

    def __init__(self, browser: Browser, server: Server):
        self.server = server
        self.page = browser.new_page(viewport={"width": 1366, "height": 768})
        self.wrong: list[str] = []  # what was asked of somebody else, and errors of the page
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)[:300]))

    def _note(self, url: str) -> None:
        if not url.startswith((f"http://127.0.0.1:{self.server.port}/", "data:", "blob:")):
            self.wrong.append(url)

    def copy(self, lesson: str) -> None:
        """Open a copy of a lesson, alone in its folder: an unsigned notebook as after a clone.

        The folder keeps what somebody answered, so nobody finds the answers of another test."""
        self.close()
        self.folder = self.server.work / f"{next(self.folders)}"
        self.folder.mkdir()
        self.open(Path(shutil.copy(NOTEBOOKS / lesson, self.folder)))

    def open(self, lesson: Path) -> None:
        """Open a lesson and wait for its kernel."""
        path = lesson.relative_to(self.server.work).as_posix()
        if self.page.url == EMPTY:
            url = f"http://127.0.0.1:{self.server.port}/lab/tree/{path}"
            self.page.goto(f"{url}?reset&token={self.server.token}")
        else:
            self.command("docmanager:open", path=path)
        self.page.locator(".jp-NotebookPanel .jp-Notebook").wait_for(timeout=SECONDS_MAX * 1000)
        self.idle()

    def command(self, name: str, **given: str) -> None:
        """One of JupyterLab's own commands, as its menus call them."""
        code = "async ([name, given]) => { await jupyterapp.commands.execute(name, given); }"
        self.page.evaluate(code, [name, given])

    def idle(self) -> None:
        """Wait until the kernel is idle.  Only the status bar tells the truth about that."""
        status = self.page.locator("#jp-main-statusbar")
        expect(status).to_contain_text("| Idle", timeout=SECONDS_MAX * 1000)

    def heard(self) -> None:
        """Wait until all that was chosen is on its way to the kernel.

        While the kernel is busy a control holds back all but its first change.  A click is not held
        back, and would overtake them."""
        kernel = "jupyterapp.shell.currentWidget.sessionContext.session.kernel"
        self.page.evaluate(f"async () => {{ await {kernel}.requestKernelInfo(); }}")

    def menu(self, *path: str) -> None:
        """Click through a menu."""
        self.page.locator(".lm-MenuBar-item", has_text=path[0]).first.click()
        for label in path[1:]:
            self.page.locator(".lm-Menu-item:visible", has_text=label).first.click()

    def run_all(self) -> None:
        """Clear what was stored, so that everything seen is fresh, and run every cell."""
        self.menu("Edit", "Clear Outputs of All Cells")
        self.menu("Run", "Run All Cells")
        # An idle kernel alone proves nothing: it is idle before the first cell reaches it, too.
        prompts = self.page.locator(".jp-CodeCell .jp-InputArea-prompt")
        ran = self.page.locator(
            ".jp-CodeCell .jp-InputArea-prompt", has_text=re.compile(r"\[\d+\]")
        )
        expect(ran).to_have_count(prompts.count(), timeout=SECONDS_MAX * 1000)
        self.idle()

    def card(self, words: str) -> Locator:
        """The output that shows a card, found by words of its question."""
        output = self.page.locator(".jp-OutputArea-output", has=self.page.get_by_text(words))
        return output.filter(has=self.page.locator(".mmsim-card")).first

    def restart(self) -> None:
        """Restart the kernel, as a learner does."""
        self.menu("Kernel", "Restart Kernel…")
        self.page.get_by_role("button", name="Confirm Kernel Restart").click()

    def switch(self, theme: str) -> None:
        """Choose one of THEMES."""
        self.menu("Settings", "Theme", theme)
        light = str(theme == THEMES[0]).lower()
        expect(self.page.locator(f"body[data-jp-theme-light={light}]")).to_have_count(1)

    def close(self) -> None:
        """Close what is open, and end its kernel."""
        if self.page.url != EMPTY:
            self.command("docmanager:save")
            self.command("application:close-all")
            expect(self.page.locator(".jp-NotebookPanel")).to_have_count(0)
        for session in self.server.ask("GET", "sessions"):
            self.server.ask("DELETE", f"sessions/{session['id']}")
