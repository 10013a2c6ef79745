# %% [markdown]
# # 00 · A virtual machine that sometimes will not start
#
# *25 minutes. You read Python, and you know what virtual memory and a system call are. Nothing
# else is assumed.*
#
# After this lesson you can
#
# - say what failed, on what kind of system, and which evidence there is;
# - name at least three causes that fit the evidence, and rule out a fourth;
# - read a kernel counter for what it counts, not for what its name suggests.
#
# **How a lesson works.** Run the cells from top to bottom (Shift-Enter). Before you see what happens,
# you say what you expect; a picture stays locked until you have. What answers a question is folded away
# under it; open it when you have answered. Every task ends in `check(...)`, which tells you where you stand
# and never breaks the notebook. Stuck? Run `hint("00.ruled_out")` in a cell of your own. Cells that are
# collapsed only assert that the numbers in the text are right; run them and read on. The same lesson with
# all answers is in the folder `solutions`.
#
# The words that come back stand in a table at the end.

# %%
from mmsim import Prediction, check, counters_of, failed_pin, hint, measured_table, ready
from mmsim import real_trace, show_state, show_story, show_table, stepper, suspect, suspects
from mmsim import suspects_tried, vfio_map

ready()

# %% [markdown]
# ## Everything was ready, and then one call failed
#
# In October 2022 Baolin Wang described a failure to the kernel's memory-management list. In our own
# words: a host starts virtual machines. It gets each guest's memory from a *memfd*, a file that exists
# in memory only, and lets the kernel fill it at once, with huge pages where possible. Then a device is
# handed to the guest. A device reads and writes memory by itself, so the kernel must promise that no
# page of it will move for as long as the guest lives. That promise is a *long-term pin*, and
# `VFIO_IOMMU_MAP_DMA` is the call that asks for it. (VFIO is the part of the kernel that hands devices to
# guests; the IOMMU translates a device's addresses.)
#
# Sometimes that call returned `-ENOMEM`, "Cannot allocate memory", and the machine did not start.

# %%
show_story()

# %% [markdown]
# *CMA* is memory that the kernel keeps for a device which needs a large piece at a moment's notice. Until
# then it is lent out, but only for pages that can be moved away again. A pinned page can't. So before a
# long-term pin can stand, every huge page that happens to lie in CMA must be **migrated**: copied to a page
# elsewhere. If there is no free huge page elsewhere, the kernel **splits** it into 512 small pages and moves
# those.
#
# ## Two counters moved, by one each
#
# The reporter had little to go on. The failure was not easy to reproduce, and in `/proc/vmstat` two counters had
# gone up by one: `thp_migration_fail` and `thp_split_page_failed`. A split was tried, then, and failed.
#
# ## Four suspects
#
# Here are four of the things that can keep a huge page from being split. (A file in memory, like any other,
# has a list of its pages: the *page cache*.)

# %%
show_table(suspects())

# %% [markdown]
# Place your bet: which of them caused the failure in the report? Write the four names into the list,
# the likeliest first.

# %% tags=["student"]
ranking = [None, None, None, None]
check("00.ranking", ranking)

# %% tags=["solution"]
ranking = ["reference", "nomem", "truncated", "writeback"]
check("00.ranking", ranking)

# %% [markdown]
# ## Step through it once
#
# The model is the kernel's path rewritten in Python, one indivisible step at a time. `vfio_map()` is one
# situation that fits the report: a *stranger*, somebody the kernel can't name, holds one reference on one huge
# page, and no huge page is free elsewhere. `base` is the kernel of that time, Linux 6.1-rc1.
#
# First a prediction, about two counters that the report does not name: `pgmigrate_fail`, pages that could
# not be moved, and `nr_foll_pin_acquired`, pins that were taken. You can't know them yet. Commit to a guess all
# the same: you will look more closely.

# %%
guess = Prediction(
    "The pin of one huge page fails because of one foreign reference. What do they count?",
    {"pgmigrate_fail": (0, 1, 2, 512), "nr_foll_pin_acquired": (0, 1, 2, 512)},
)

# %% tags=["nbval-ignore-output"]
stepper(vfio_map(), unlock=guess, versions=("base",))

# %% [markdown]
# Press *Forward*, or drag the slider; both columns follow. Look at the left one: who refers to the page, and
# the counters. (The equation under the references is what lesson 01 is about. On the right is the model's own code: a
# line with `yield` is one step.)
#
# No widget to be seen? Write your two numbers here instead; the next cells show the run as a table, and one step as a
# still picture. (If you used the widget, just run these cells.)

# %% tags=["student"]
guess.store(pgmigrate_fail=None, nr_foll_pin_acquired=None)

# %% tags=["solution"]
guess.store(pgmigrate_fail=512, nr_foll_pin_acquired=512)

# %%
run = vfio_map().run()
guess.show_against(run.last.world.vmstat)

# %%
show_table(failed_pin(run), after=guess)

# %%
show_state(run, run.find("can_split_folio"), after=guess)

# %% tags=["solution", "check"]
vmstat = run.last.world.vmstat
assert vmstat["pgmigrate_fail"] == vmstat["nr_foll_pin_acquired"] == 512
assert vmstat["nr_foll_pin_released"] == 512 and run.results["pin"] == -12
of_the_time = vfio_map(isolation="inverted").run()
pins = of_the_time.last.world.vmstat
assert pins["nr_foll_pin_acquired"] == pins["nr_foll_pin_released"] == 1024
assert [e.op.kind.name for e in of_the_time.events].count("lru_add_drain_all") == 1
assert pins["pgmigrate_fail"] == 512 and of_the_time.results["pin"] == -12

# %% [markdown]
# <details><summary><b>Why these numbers?</b> Open when you have predicted.</summary>
#
# Both say 512. `pgmigrate_fail` counts small pages, the 512 of one huge page, while the `thp_` counters
# count in huge pages. And the kernel pins first: it pins all 512, sees that the page lies in CMA, lets go of
# them again (`nr_foll_pin_released`), migrates, and would then pin anew. Here it did not get that far.
#
# One number is not the real kernel's. In Linux 6.1-rc1 this pin acquires 1,024 pins and releases 1,024. A test in
# `collect_longterm_unpinnable_pages()`, whether a page could be isolated, is the wrong way round there. So the kernel
# pins a second time before it migrates. On the way it empties (*drains*) once the queues in which processors keep
# pages for the LRU lists. The model has the test as it was meant, in all its versions; lesson 07 tells of the bug.
# `pgmigrate_fail` and the `thp_` counters are the same either way.
#
# </details>
#
# ## The same on a real kernel
#
# The reporter's machine is out of reach, but a situation that *fits* the report has been measured. A real
# kernel ran in an emulated machine; one huge page in CMA was held by a single foreign reference; the pin
# was tried. These counters moved:

# %%
measured = real_trace("S3_held_base_retfix1.txt")
show_table(measured_table(measured), after=guess)

# %% tags=["check"]
assert measured.delta["thp_migration_fail"] == measured.delta["thp_split_page_failed"] == 1
assert counters_of(run) == {"thp_migration_fail": 1, "thp_split_page_failed": 1}
assert measured.delta["pgmigrate_fail"] == 512 and measured.pin_result == -12
assert vfio_map().knobs["passes"] == 10 and 2 ** vfio_map().knobs["order"] == 512

# %% [markdown]
# The reported pair is there, each 1, as in the model, and the pin returned -12, which is `-ENOMEM`. (From
# `data/kernel-runs/traces/`, one pin; how it was made is described in `data/kernel-runs/README.md`. The counters
# of pins were not recorded.) The code says little, by the way: the pin turns every failure of `migrate_pages()`
# into `-ENOMEM` (`migrate_longterm_unpinnable_pages()` in `mm/gup.c`, Linux 6.1). Only memory of a device
# (*device-coherent* memory) has a code of its own there, `-EBUSY`; a memfd has none.
#
# This shows that a held reference *gives* these counters. It does not show that a held reference is what the
# reporter had.
#
# ## Which suspect do the counters rule out?
#
# `thp_migration_fail` goes up when a huge page could not be moved as it is. That is so for all four suspects,
# so only the other counter can tell them apart: `thp_split_page_failed` goes up when a split was *begun* and
# refused.
#
# A split has an entry and an inside. Two questions are asked at the entry: is this the special page of zeros
# that everybody shares, and is it under *writeback*, just being written to disk or swap? Whoever is sent away
# there has not begun. Inside, the kernel looks for the file the page belongs to (a *truncated* page has lost
# its file), gets memory for the file's longer list of pages, and counts the references.
#
# Each suspect can be tried alone in the model. Before you look: for which of them would the two counters
# *not* both be 1? Write `True` for a suspect that the counters rule out, `False` for one that fits.

# %% tags=["student"]
ruled_out = {"reference": None, "truncated": None, "nomem": None, "writeback": None}
check("00.ruled_out", ruled_out)

# %% tags=["solution"]
ruled_out = {"reference": False, "truncated": False, "nomem": False, "writeback": True}
check("00.ruled_out", ruled_out)

# %% [markdown]
# The next cell tries all four in the model, and puts your bet beside them.

# %%
show_table(suspects_tried(ruled_out, ranking))

# %% [markdown]
# <details><summary><b>Who is left?</b> Open when you have judged all four.</summary>
#
# Three suspects are left. A page under writeback is turned away before the split has begun, and that is
# not counted as a failed split (`split_huge_page_to_list()`, Linux 6.1). Between the other three the pair
# of counters can't choose. (They are not the only ones. If the page belongs to a file on disk, a file system that
# won't let go of its private data is counted the same; a memfd has no such data.) The patch that followed (its second version is called `v2` here) tries
# again, but only if a reference was in the way; with the other two the pin still fails.
#
# </details>
#
# The reporter thought of a temporary reference, because `drop_caches` had been seen on that system: to look
# at a page, it takes a reference for a short while. He wrote *probably*, and nobody in the discussion
# proved it. Keep that word in mind.

# %% tags=["check"]
fits = {name: counters_of(suspect(name).run()) for name in suspects().index}
assert fits["reference"] == fits["truncated"] == fits["nomem"]
for name in ("truncated", "nomem"):
    assert vfio_map("v2", stranger=0, trouble=name).run().results["pin"] == -12
assert fits["writeback"] == {"thp_migration_fail": 1, "thp_split_page_failed": 0}

# %% [markdown]
# ## Six statements, before you go on
#
# True or false? You can't know all of this yet, and nothing is judged here; lesson 04 comes back to all six.
# (`-EBUSY`, "busy", and `-EAGAIN`, "not now, try again", are two of the kernel's error codes.)
#
# | name | statement |
# | --- | --- |
# | `users` | A reference count of 514 means that 514 users hold the page. |
# | `pinned` | If a huge page can't be split, somebody has pinned it. |
# | `free` | If more than 2 MiB are free, a huge page can be had. |
# | `ten` | Trying ten times makes success ten times as likely. |
# | `errno` | It can matter to a caller whether an error is -EBUSY or -EAGAIN. |
# | `counter` | A failure counter can go up by more than one for a single huge page. |

# %% tags=["student"]
pretest = dict(users=None, pinned=None, free=None, ten=None, errno=None, counter=None)
check("00.pretest", pretest)

# %% tags=["solution"]
# what many say at first; lesson 04 has the answers
pretest = dict(users=True, pinned=True, free=True, ten=True, errno=False, counter=False)
check("00.pretest", pretest)

# %% [markdown]
# ## What to keep
#
# - The failing call was a long-term pin; the failing step was moving one huge page out of CMA.
# - Two counters fit at least three causes. Evidence narrows things down; it seldom points.
# - Ask of a counter what it counts: `pgmigrate_fail` small pages, `thp_migration_fail` huge ones;
#   `thp_split_page_failed` splits that were begun and refused, not those sent away at the entry.
# - The kernel pins first and looks afterwards; what may not stay is let go of, moved, and pinned anew.
#
# ## What this model leaves out
#
# | left out | why it does not matter here |
# | --- | --- |
# | the page allocator: whether a huge page is free is a knob | we infer from the split attempt that none was to be had; the counters do not show why |
# | how the guest's pages came to lie in CMA | in either case they lie there when the pin comes (lesson 02 is about the how) |
# | the ioctl around the pin, and the IOMMU | any failure of the pin makes the ioctl fail |
# | time: a step has no duration | order is what decides in this lesson |
#
# ## Words
#
# For this lesson and those that follow.
#
# | word | meaning |
# | --- | --- |
# | folio | one page, or one huge page, as the kernel handles it |
# | huge page, THP | 512 pages of 4 KiB in one piece, 2 MiB (*transparent huge page*) |
# | page cache | where a file finds its pages in memory |
# | memfd | a file that exists in memory only; a guest's memory can be one |
# | reference | "I am using this folio, don't free it"; counted in one number per folio |
# | ledger | our list of who holds which reference; the kernel knows only the number |
# | stranger | somebody who holds a reference that the kernel can't explain |
# | mapping, mapcount | an entry in somebody's page table, and how many there are; each is also one reference |
# | PMD | the kind of entry that maps a whole huge page at once: one mapping for all 2 MiB |
# | migrate, split | move a page to another place; cut a huge page into its 512 small ones |
# | LRU list | the kernel's lists of pages, by how lately they were used |
# | isolate | take a folio off its LRU list so that nobody else moves it meanwhile; one more reference |
# | pin | a reference that asks for the page to stay where it is |
# | writeback, truncated | being written to disk or swap just now; cut off from its file |
# | `drop_caches` | a switch that makes the kernel look at all pages of all files, and free what it can |
# | CMA | contiguous memory allocator: memory lent out until a device needs it in one piece |
# | pass | the kernel (6.1) goes over the list of pages to be moved up to ten times; each time is a pass |
# | freeze | claim all references of a folio at once; works only if there are exactly as many as expected |
#
# ## Further reading
#
# The first mail about this failure has the message-id
# `bc27af32b0418ed1138a1c3a41e46f54559025a5.1665991453.git.baolin.wang@linux.alibaba.com` (17 October 2022),
# the mail with the counters `c163ba0e-80d9-6362-b4f0-c5a2a12deec5@linux.alibaba.com` (18 October 2022).
# Message-ids can be looked up in any archive of the kernel's mailing lists.
#
# **Next:** lesson 01, *Who holds this page?*
