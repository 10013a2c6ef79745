"""Answers are there again after a restart of the kernel, and on a reopened page."""

from __future__ import annotations

import pytest
from lab import opened
from playwright.sync_api import expect

from mmsim.progress import FILE, read

pytestmark = pytest.mark.browser


def test_a_stored_answer_comes_back(tmp_path, chromium):
    with opened("00_the_report.ipynb", tmp_path, chromium, size=(1366, 768)) as lab:
        lab.run_all()
        box = lab.card("When does the machine start?")
        box.get_by_role("textbox").fill("if it tries again")
        for row in range(3):
            box.locator(".widget-toggle-buttons").nth(row).get_by_role("button").first.click()
        box.get_by_role("button", name="Store").click()
        expect(box).to_contain_text("you said if it tries again")
        statements = lab.card("Six statements")
        for row in range(6):
            statements.locator(".widget-toggle-buttons").nth(row).get_by_role("button").last.click()
        statements.get_by_role("button", name="Store").click()
        expect(statements).to_contain_text("Noted: users false")
        assert {*read(tmp_path / "work" / FILE).cards} == {"the_report.start", "the_report.pretest"}

        lab.menu("Kernel", "Restart Kernel…")
        lab.page.get_by_role("button", name="Confirm Kernel Restart").click()
        for again in ("restarted", "reopened"):
            if again == "reopened":
                lab.menu("File", "Save Notebook")
                lab.menu("Kernel", "Shut Down Kernel")
                lab.open("00_the_report.ipynb")
            lab.run_all()
            expect(box).to_contain_text("you said if it tries again")
            expect(box.get_by_role("button", name="Store")).to_be_hidden()
            lab.shot(f"progress-{again}", box)
        statements.get_by_role("button", name="Change my answer").click()
        chosen = statements.locator(".widget-toggle-buttons .mod-active")
        expect(chosen).to_have_text(["false"] * 6)
        lab.shot("progress-change", statements)
        assert lab.errors == []
