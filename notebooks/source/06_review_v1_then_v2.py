# %% [markdown]
# # 06 · Review v1, then v2
#
# *50 minutes. You have done lesson 04.*
#
# After this lesson you can
#
# - review a small patch series before you hear what others said about it;
# - say for each reason and each result of a split what the caller gets, in `base`, `v1` and `v2`;
# - explain why a refused split got an error code of its own, and why only long-term pins try again;
# - write a test that version 1 fails and version 2 passes;
# - say what version 2 promises, and what it does not.
#
# | part | minutes |
# | --- | --- |
# | Recall | 3 |
# | You are the reviewer | 8 |
# | What the list said | 8 |
# | Every cell; who notices | 14 |
# | Why a code of its own, why only for pins | 5 |
# | Version 2, what it promises, a test that stays | 12 |

# %%
from mmsim import cells_happened, cells_question, changes_table, check, cma_alloc, console
from mmsim import counters_by_version, decision_table, hint, list_said, measured_requests, ready
from mmsim import owner_happened, owner_question, show_diagnosis, show_flow, show_side_by_side
from mmsim import show_table, vfio_map

ready()

# %% [markdown]
# ## Recall
#
# Three questions about lesson 04, from memory. One letter each.
#
# - `renamed`: which refused splits return `-EAGAIN` with the patch? **a** all of them, **b** those refused because
#   of references, **c** those of long-term pins.
# - `first`: in `base` a huge page has no destination, and its split is refused. What does `migrate_pages()`
#   return? **a** `-ENOMEM`, **b** `-EBUSY`, **c** 1.
# - `two`: why is there a companion patch? **a** One patch is for huge pages, one for single pages, **b** trying
#   again is of no use as long as a split huge page counts as a failure, **c** one is for 6.1, one for 6.2.

# %% tags=["student"]
recall = {"renamed": None, "first": None, "two": None}
check("06.recall", recall)

# %% tags=["solution"]
recall = {"renamed": "b", "first": "a", "two": "b"}
check("06.recall", recall)

# %% [markdown]
# ## You are the reviewer
#
# It is 20 October 2022. Two patches arrive on the mailing list of the kernel's memory developers, as a *series*:
# they belong together, and the second builds on the first. This is version 1, and nobody has answered yet. In our
# words:
#
# - **1/2** says: `migrate_pages()` tries several times, so it may return a positive number although everything has
#   moved in the end. The pin should not take that for a failure.
# - **2/2** says: a split can be refused because of a reference that will be gone in a moment. Try again, to make
#   the failure of a long-term pin less likely.
#
# Where that is, in the kernel and in the model:

# %%
show_table(changes_table(("v1",), posted=True))

# %% [markdown]
# And the four places as the model has them. (`reason`: for whom pages are migrated; `rc`: what `migrate_pages()` is
# about to return; `ret`: what the split returned; `list_empty`: nothing is left to move. Below the line two places that
# are the same: `final_rc` will be version 2's, `taken_back` is for lesson 07.)

# %%
show_side_by_side("base", "v1")

# %% [markdown]
# **Task.** Take five minutes. Write three remarks for the author, a sentence of 20 letters or more each. Look for what could go wrong, for
# whom, and for what you would have to know to believe the two claims. You saw one weakness of version 1 in
# lesson 04; there is more to say. Nothing you write is wrong.

# %% tags=["student"]
remarks = [None, None, None]  # for instance "Does the pin still fail if ...?"
check("06.review", remarks)

# %% tags=["solution"]
remarks = [
    "Is the explanation of 1/2 right? A page that was busy and moved in the end leaves no count.",
    "Other callers of migrate_pages() see a positive number, too; why mend it in one of them?",
    "2/2 overwrites rc with what the split returned, so other reasons get another error code.",
]
check("06.review", remarks)

# %% [markdown]
# ## What the list said
#
# Here are four remarks that reviewers made on version 1, two on each patch. They stand here in our words; with the Message-ID you find
# the mails in the public archive (`https://lore.kernel.org/all/` and the Message-ID; of one only the beginning is known
# here).

# %%
show_table(list_said(), after="06.review")

# %% [markdown]
# Compare with yours. Which of them did you have? Which of yours did nobody make?
#
# The first remark says that the explanation of 1/2 is wrong. You need not believe it: version 1 is in the model.
#
# **Task.** Four ways in which a pin can go. What does `migrate_pages()` return in each, in `v1`? Write numbers.
# (In the first a huge page is free; in the others none is, so the page has to be split. *Busy* or *refused*:
# because of a stranger's reference.)

# %% tags=["student"]
returned = {
    "busy twice, then moved whole": None,
    "split at once": None,
    "refused twice, then split": None,
    "refused in every pass": None,
}
check("06.explain", returned)

# %% tags=["solution"]
returned = {
    "busy twice, then moved whole": 0,
    "split at once": 1,
    "refused twice, then split": 3,
    "refused in every pass": 11,
}
check("06.explain", returned)

# %% [markdown]
# <details><summary><b>So the reviewer was right.</b> Open when you have answered.</summary>
#
# Trying several times is not what makes the number positive: the first case has three tries and returns 0. The second
# has a single one, and returns 1. A huge page that is *split* counts as a failure, even if all its pieces move, and
# each refusal on the way counts one more.
#
# The change of 1/2 would have worked all the same: it asks whether anything is left. But a patch with a wrong
# explanation mends the wrong place. The second remark draws the conclusion: if `migrate_pages()` counts a success
# as a failure, *every* caller is misled, `move_pages()` too. So mend `migrate_pages()`. Version 2 does.
#
# </details>

# %% [markdown]
# ## Every cell of the decision
#
# Now the third remark. A huge page has no destination, and its split is tried. What `migrate_pages()` does next
# depends on three things: for whom it works (the *reason*), how the split went, and the version. Predict six cells: a
# pin or any other reason; a split refused because of a *reference*, or because the page was *truncated*; `v1` and
# `v2`. Each is one of `"stays"` (the page stays on the list for the next pass), `"-ENOMEM"`, `"-EAGAIN"`, `"-EBUSY"`
# (`migrate_pages()` ends at once and returns the code).

# %%
cells = cells_question()

# %% tags=["student"]
six = {
    "v1, pin, reference": None,
    "v2, pin, reference": None,
    "v1, pin, truncated": None,
    "v2, pin, truncated": None,
    "v1, other, reference": None,
    "v2, other, reference": None,
}
cells.store(**six)

# %% tags=["solution"]
six = {
    "v1, pin, reference": "stays",
    "v2, pin, reference": "stays",
    "v1, pin, truncated": "-EBUSY",
    "v2, pin, truncated": "-ENOMEM",
    "v1, other, reference": "-EAGAIN",
    "v2, other, reference": "-ENOMEM",
}
cells.store(**six)

# %% [markdown]
# Now turn the knobs: `reason` (any but `longterm_pin` stands for *other*; `numa_misplaced` is a case of its own),
# `stranger` (0: nobody has a reference) and `trouble` (`truncated`). Without a widget: the cell below it shows one
# setting; change it.

# %% tags=["nbval-ignore-output"]
console(vfio_map("v1"), knobs=("reason", "stranger", "trouble"), unlock=cells)

# %%
cells.show_against(cells_happened())
show_flow(vfio_map("v1", reason="contig_range").run(), after=cells)

# %% [markdown]
# And all of them. A cell with ≠ differs from `base`. The rows are named after what happens to the split: it *splits*;
# somebody has a *reference*; the page was *truncated*, or is under *writeback* (then the split does not even begin);
# there are *no nodes*, that is, no memory for the page cache's own records (`-ENOMEM`; lesson 00 called it `nomem`).

# %%
show_table(decision_table(("base", "v1", "v2"), detailed=True), after=cells)

# %% tags=["solution", "check"]
table = decision_table(("base", "v1", "v2"), detailed=True)
v1, v2 = table["v1"], table["v2"]
assert v1["longterm_pin", "reference"] == v2["longterm_pin", "reference"]
assert v1["longterm_pin", "reference"] == "≠ stays for the next pass"
assert v1["other", "reference"] == "≠ exit -EAGAIN" and v2["other", "reference"] == "exit -ENOMEM"
assert v1["longterm_pin", "truncated"] == "≠ exit -EBUSY" == v1["other", "truncated"]
assert [cell for cell in v2 if "≠" in cell] == ["≠ stays for the next pass"]
assert sum("≠" in cell for cell in v1) == 1 + 5

# %% [markdown]
# One cell of the column `v2` differs from `base`: the one that the patch is about. In `v1` five more do. Nobody asked
# for those.
#
# ## Who notices? The owner of CMA memory
#
# A return value matters if somebody looks at it. The owner of CMA memory does. It has lent its area out, and now it
# wants some of it back, in one piece: `cma_alloc()`. For each *range* that would do, the pages in it have to be migrated
# away. The kernel (6.1, `__alloc_contig_migrate_range()`) takes them in chunks: at most 32 pages, or one huge page. For
# each chunk it calls `migrate_pages()` up to five times. If something is left then, `cma_alloc()` goes on to the next
# range. But after `-ENOMEM` both stop at once: with no memory to move to, why go on?
#
# In the model: an area of two pageblocks (2 MiB each). In the first lies a huge page that somebody refers to, the
# second is free, and the owner wants one. **Predict:** how many calls of `migrate_pages()` (1, 5, 10 or 50), and does the
# owner get its 2 MiB?

# %%
owner = owner_question()

# %% tags=["student"]
answer = {"calls in base": None, "calls in v1": None, "base": None, "v1": None}
owner.store(**answer)  # numbers; what the owner gets: "memory" or "nothing"

# %% tags=["solution"]
answer = {"calls in base": 1, "calls in v1": 5, "base": "nothing", "v1": "memory"}
owner.store(**answer)

# %%
owner.show_against(owner_happened())
show_table(counters_by_version(cma_alloc(), ("base", "v1", "v2")), after=owner)

# %% tags=["solution", "check"]
assert owner_happened() == answer
run = cma_alloc("v2").run()
assert run.results["owner"] == cma_alloc("base").run().results["owner"] == -12

# %% [markdown]
# A real kernel did the same. It was measured in an emulated machine with base, v1 and v2 in one binary, an area of
# 256 MiB and one huge page in it that was held (file `s11_cma_alloc_return_value.csv`). There the ranges begin at every
# *page*, not at every pageblock, so there are thousands of them. In `v1` each that fails costs five refusals: 2,049
# ranges of 248 MiB fit into the area, and all failed; of those of 28 MiB 6,145 failed before one went through. (0: the
# owner got its memory. `-ENOMEM`: it did not; the file by which it was asked for says that of every failure.)

# %%
show_table(measured_requests(), after=owner)

# %% tags=["solution", "check"]
from mmsim.evidence.kernel_runs import compare_file

rows = compare_file("s11_cma_alloc_return_value.csv")
assert not rows.having("disagree") and len(rows.having("agree")) == 43
measured = measured_requests()
assert measured["v1"].tolist() == ["30,725", "0", "10,245", "-ENOMEM"]
assert measured["base"].tolist() == measured["v2"].tolist() == ["1", "-ENOMEM", "1", "-ENOMEM"]
assert 30725 == 5 * 6145 and 10245 == 5 * 2049 and 2049 == (256 - 248) * 256 + 1

# %% [markdown]
# **Question.** In one of these requests version 1 gets memory where `base` gives up. Is it not *better*, then? Write two
# sentences before you open the answer.
#
# <details><summary><b>A model answer.</b></summary>
#
# Perhaps, for this owner. But nobody decided it. `-ENOMEM` meant "stop" to this caller; now it is told something else, and
# splits are refused 30,725 times on the way. If `cma_alloc()` should go on after a missing destination, then that
# is a patch of its own, with a reason, for the people who know `cma_alloc()`. A return value is a promise: change it
# for those who asked, and tell the others.
#
# </details>

# %% [markdown]
# ## The other callers
#
# The same page, the same reference; but others ask for it to be moved. What does each do with the result of
# `migrate_pages()`?
#
# | caller | what it does with the result |
# | --- | --- |
# | a long-term pin | it makes `-ENOMEM` of every failure of `migrate_pages()` |
# | `move_pages()`, the system call | an error is what its own caller gets |
# | NUMA balancing | never has a huge page split, and leaves one where it is if there is no room for it |
#
# **Task.** Which of them gets something else from `v1` than from `base`?

# %% tags=["student"]
differs = {"a long-term pin": None, "move_pages(), the system call": None, "NUMA balancing": None}
check("06.callers", differs)  # True or False

# %% tags=["solution"]
differs = {"a long-term pin": False, "move_pages(), the system call": True}
differs |= {"NUMA balancing": False}
check("06.callers", differs)

# %% [markdown]
# > **A common mistake:** "the pin looked at every error in the same way, so the error did not matter". It did not matter *to
# > the pin*. A function has the callers that it has.
#
# ## Why a code of its own
#
# Before the patch a split returned `-EBUSY` when references were in the way: "can't be done now". Why not keep that, and
# simply try again after every refusal?
#
# **Task.** Suppose it did: every refused split is tried again, whatever its code. Nobody refers to the page; there is no
# memory for the page cache's records (*no nodes* in the table), and there will be none. How many splits are refused,
# and what does the pin come to?

# %% tags=["student"]
always = {"refused": None, "pin": None}  # a number, and a text such as "-EAGAIN"
check("06.code", always)

# %% tags=["solution"]
always = {"refused": 10, "pin": "-ENOMEM"}
check("06.code", always)

# %% [markdown]
# <details><summary><b>An error code says what may help.</b> Open when you have answered.</summary>
#
# Ten refusals, and the same error as after the first. A split has several ways to fail. A page that was truncated stays
# so, memory that is missing does not turn up at once, and writeback takes its time: `-EBUSY` and `-ENOMEM` stand for
# those. `-EAGAIN` means one thing: the same call may work in a moment. So the split says which of the two it is, at both places where it looks at references, and the caller decides.
#
# And why only for long-term pins? The patch says no more than that it wants to make *their* failure less likely. What can
# be said for it: to a pin a failure is final, the virtual machine does not start. NUMA balancing never splits, and a
# system call that failed can be made again. Each more attempt costs them time, and none of them had asked. One thing is
# certain: in version 2 every caller that is left out keeps the error code that it had.
#
# </details>
#
# ## Version 2, a day later
#
# 21 October 2022. Two patches again, and each has changed. First version 2 beside version 1:

# %%
show_side_by_side("v1", "v2")

# %% [markdown]
# And version 2 as a whole, against `base` (*before*):

# %%
show_table(changes_table(("v2",)))

# %% [markdown]
# The change in `gup_fails` is undone, and `final_rc` mends the return value for every caller. The split's result has a
# variable of its own, so `rc` stays what it was. A third version followed on 24 October; it changes the condition in
# `final_rc` once more (lesson 07), and it is the one that was merged: 1/2 for Linux 6.1, and 2/2 for Linux 6.2. (From
# 6.1.116 on the older 6.1 has 2/2, too.)
#
# ## What version 2 promises
#
# **Task.** True or false, for `v2`?
#
# | name | statement |
# | --- | --- |
# | `soon` | No huge page ever becomes free: then a reference on the huge page that is gone before the tenth attempt does not make the pin fail. |
# | `longer` | A reference that stays longer than ten attempts is waited for. |
# | `pieces` | Once the page is split, its pieces are tried again as well. |
# | `alone` | Patch 2/2 helps the pin without 1/2, too. |
# | `truncated` | A page that has been truncated is not tried again. |
# | `proof` | The author showed with numbers that the reported failure is gone. |

# %% tags=["student"]
promises = dict(soon=None, longer=None, pieces=None, alone=None, truncated=None, proof=None)
check("06.promises", promises)

# %% tags=["solution"]
promises = dict(soon=True, longer=False, pieces=False, alone=False, truncated=True, proof=False)
check("06.promises", promises)

# %% [markdown]
# ## A test that stays
#
# A remark is forgotten; a test is not. **Task.** Write a *regression test*: a function that takes a version, runs the
# model, and returns True if the version behaves as callers other than the pin have always been able to expect. `base`
# and `v2` pass it, `v1` fails. Five lines are plenty. You may use everything you have used in this lesson, for instance
# `vfio_map(version, reason=...)` and `cma_alloc(version)`; a finished run has `run.results` (what each actor returned:
# `"pin"`, with another reason `"migrate"`, in `cma_alloc` `"owner"`) and `run.last.world.vmstat` (the counters). The judge
# hides the versions' names from you.


# %% tags=["student"]
def regression(version):
    passed = None  # for instance vfio_map(version).run().results["pin"] == -12
    return passed


check("06.regression", regression)


# %% tags=["solution"]
def regression(version):
    run = vfio_map(version, reason="contig_range").run()
    return run.results["migrate"] == -12


check("06.regression", regression)

# %% [markdown]
# Stuck? `hint("06.regression")` gives the next hint at each call.
#
# A test like this would have stopped version 1 before a person had to. It looks at one cell of the decision table, and
# the table has more: which other cells would you test, if you had five more lines?

# %% [markdown]
# ## What to keep
#
# - Review the explanation as well as the code: a wrong one mends the wrong place.
# - Ask of every changed value who reads it last. Version 1 changed an error code for callers who had asked for nothing.
# - An error code tells the caller what may help. That is why references got one of their own.
# - Version 2 tries ten times, at once, for long-term pins only; it waits for no reference, and does nothing for the pieces.
#   Everybody else keeps the error codes that they had; only the mended count is new to them.
# - Nobody showed that the reported failure was cured. A reviewer asked; it would be tested.
#
# ## What this model leaves out
#
# | left out | consequence |
# | --- | --- |
# | the text of the patches | you review what they change, not how they are written |
# | compaction and memory failure as callers | they see what `contig_range` sees; compaction never has huge pages on its list |
# | `cma_alloc()` page by page | the model goes from pageblock to pageblock: few ranges instead of thousands |
# | the time that an attempt takes | thousands of refusals are a number here; in a kernel they are a delay |
#
# ## Words
#
# | word | meaning |
# | --- | --- |
# | series | patches that belong together, in an order; all of them get a new version together |
# | caller | who calls a function and reads what it returns |
# | reason | for whom `migrate_pages()` works; its caller says so |
# | range | neighbouring pages that the owner of CMA memory could get |
# | regression test | it fails as soon as something that was right goes wrong |
#
# ## Where you are now
#
# The short path (00, 01, 04, 05, 06) ends here. You can now
#
# - read the counters of the report, and say what they leave open;
# - add up who refers to a page, and find the reference that nobody can explain;
# - say for each version of the patch what it tries again, what it returns, and whom that touches;
# - make the failure happen by a schedule, and say why that is rare.
#
# Want to know whether it stays? Lesson 09 has a case that you have not seen; do it in a few days, not now.
#
# **Next:** lesson 07, in which version 2 still gives up on memory that it has moved, and you write a better policy; then 08,
# which holds the model against a real kernel. Lessons 02 and 03 go back to the beginning: why the guest's memory lies in
# CMA, and why no huge page is free.
#
# ## More to try
#
# 1. The counters alone can tell versions apart. The next cell takes a list of counters that moved and names the paths
#    that explain them. A host has counted 11 failures and 10 refused splits: which versions can it be, and which
#    not? Then try 1 and 10. (At the command line: `mmsim diagnose`, also with two texts of `/proc/vmstat`.)
# 2. Your regression test looks at one caller. Write one with `cma_alloc(version)` that counts refused splits.
# 3. Give the owner an area of four pageblocks with two huge pages in front; the stranger refers to the first:
#    `counters_by_version(cma_alloc(blocks=4, thps=2), ("v1",))`. How often does `v1` call `migrate_pages()`, and what for?

# %%
show_diagnosis("thp_migration_fail +11\nthp_split_page_failed +10", unlock=cells)

# %% [markdown] tags=["solution"]
# **Model answers.**
#
# 1. `v1`, `v2`, `v3` and `2/2-only`: one huge page, refused in all ten passes. Not `base` or `6.1.0`, which try once, and
#    not `v3fix`, which counts 1 for ten refusals.
# 2. `return cma_alloc(version).run().last.world.vmstat["thp_split_page_failed"] == 1`
# 3. Five times for the first range. The second range begins at the second huge page, which nobody holds: it is
#    split and moved, in one call, and the owner has its memory. Six calls.

# %% tags=["solution", "check"]
from mmsim.evidence.diagnose import diagnose

found = diagnose("thp_migration_fail 11\nthp_split_page_failed 10")
assert found.groups[0].paths[0].versions == ("v1", "v2", "v3", "2/2-only")
found = diagnose("thp_migration_fail 1\nthp_split_page_failed 10")
assert found.groups[0].paths[0].versions == ("v3fix",)
run = cma_alloc("v1", blocks=4, thps=2).run()
names = [event.op.kind.name for event in run.events]
assert names.count("trace_mm_migrate_pages") == 6 and run.results["owner"] > 0
