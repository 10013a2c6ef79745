# %% [markdown]
# # 00 · A virtual machine that sometimes will not start
#
# *20 minutes. You read C and Python, and you know what virtual memory and a system call are. Nothing
# else is assumed.*
#
# After this lesson you can
#
# - say what failed, on what kind of system, and which evidence there is;
# - name three causes that fit the evidence, and rule out a fourth;
# - read a kernel counter for what it counts, not for what its name suggests.
#
# **How a lesson works.** Run the cells from top to bottom (Shift-Enter). Before you see what happens,
# you say what you expect; a picture stays locked until you have. Every task ends in `check(...)`, which
# tells you where you stand and never breaks the notebook. `hint("00.ruled_out")` helps when you are
# stuck. The same lesson with all answers is in the folder `solutions`.

# %%
from mmsim import Prediction, check, hint, ready, real_trace, show_state, show_story, stepper
from mmsim import counters_of, show_table, suspect, suspects, suspects_tried, vfio_map

ready()

# %% [markdown]
# ## Everything was ready, and then one call failed
#
# In October 2022 Baolin Wang described a failure to the kernel's memory-management list. In our own
# words: a host starts virtual machines. It gets each guest's memory from a *memfd*, a file that exists
# in memory only, and lets the kernel fill it at once, with huge pages where possible. Then a device is
# handed to the guest. A device reads and writes memory by itself, so the kernel must promise that no
# page of it will move for as long as the guest lives. That promise is a *long-term pin*, and
# `VFIO_IOMMU_MAP_DMA` is the call that asks for it.
#
# Sometimes that call returned `-ENOMEM`, "Cannot allocate memory", and the machine did not start.

# %%
show_story()

# %% [markdown]
# *CMA* is memory that the kernel keeps for a device which needs a large piece at a moment's notice. Until
# then it is lent out, but only for pages that can be moved away again. A pinned page can't. So before
# the pin, every huge page that happens to lie in CMA must be **migrated**: copied to a page elsewhere. If
# there is no free huge page elsewhere, the kernel **splits** it into 512 small pages and moves those.
#
# ## Two counters moved, by one each
#
# The reporter had little to go on. The failure was rare, and in `/proc/vmstat` two counters had gone up
# by one: `thp_migration_fail` and `thp_split_page_failed`. (*thp*: transparent huge page.)
#
# His machine is out of reach, but the same situation has been measured. A real kernel ran in an emulated
# machine; one huge page in CMA was held by a single foreign reference; the pin was tried. These counters
# moved:

# %%
measured = real_trace("S3_held_base_retfix1.txt")
show_table(measured.table())

# %% tags=["check"]
assert measured.delta["thp_migration_fail"] == measured.delta["thp_split_page_failed"] == 1
assert measured.delta["pgmigrate_fail"] == 512 and measured.pin_result == -12

# %% [markdown]
# The reported pair is there, each 1, and the pin returned -12, which is `-ENOMEM`. `pgmigrate_fail`
# counts small pages: the 512 of one huge page. (From `data/kernel-runs/traces/`, one pin; how it was
# made stands in `data/kernel-runs/README.md`.) This shows that a held reference *gives* these counters.
# It does not show that a held reference is what the reporter had.
#
# ## Four suspects
#
# Here are four things that can keep a huge page from being split.

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
# The model runs the kernel's own path, one indivisible step at a time. Press *Forward*, or drag the
# slider; both columns of the picture follow. `vfio_map()` is the situation of the report, `base` the
# kernel before the patch. But first: what will the two counters say at the end, if the suspect is
# `reference`?

# %%
guess = Prediction(
    "One foreign reference on the huge page, and no free huge page elsewhere. What do they count?",
    {"thp_migration_fail": range(0, 4), "thp_split_page_failed": range(0, 4)},
)

# %% tags=["nbval-ignore-output"]
stepper(vfio_map(), unlock=guess, versions=("base",))

# %% [markdown]
# No widget to be seen? Write your two numbers here instead; the next cell shows the decisive step as
# a still picture. (If you used the widget, just run these two cells.)

# %% tags=["student"]
guess.store(thp_migration_fail=None, thp_split_page_failed=None)

# %% tags=["solution"]
guess.store(thp_migration_fail=1, thp_split_page_failed=1)

# %%
run = vfio_map().run()
show_state(run, run.find("can_split_folio"), after=guess)
guess.show_against(counters_of(run))

# %% [markdown]
# ## Which suspect do the counters rule out?
#
# Each suspect can be tried alone in the model. Before you look: for which of them would the two counters
# *not* both be 1? Write `True` for a suspect that the counters rule out, `False` for one that fits.

# %% tags=["student"]
ruled_out = {"reference": None, "truncated": None, "nomem": None, "writeback": None}
check("00.ruled_out", ruled_out)

# %% tags=["solution"]
ruled_out = {"reference": False, "truncated": False, "nomem": False, "writeback": True}
check("00.ruled_out", ruled_out)

# %%
hint("00.ruled_out", 1)

# %% [markdown]
# The next cell tries all four in the model.

# %%
show_table(suspects_tried(ruled_out))

# %% tags=["check"]
fits = {name: counters_of(suspect(name).run()) for name in suspects().index}
assert fits["reference"] == fits["truncated"] == fits["nomem"]
for name in ("truncated", "nomem"):
    assert vfio_map("v2", stranger=0, trouble=name).run().results["pin"] == -12
assert fits["writeback"] == {"thp_migration_fail": 1, "thp_split_page_failed": 0}

# %% [markdown]
# Three suspects are left. A page under writeback is turned away before the split has begun, and that is
# not counted as a failed split (`split_huge_page_to_list()`, Linux 6.1). Between the other three the pair
# of counters can't choose.
#
# The reporter thought of a temporary reference, because he had seen somebody drop the page cache on that
# system (`drop_caches`), and wrote *probably*. Nobody in the discussion proved it. Keep that word in
# mind: the patch that followed tries again only if a reference was in the way.
#
# ## Six statements, before you go on
#
# True or false? Nothing is judged here; lesson 04 comes back to all six.
#
# | name | statement |
# | --- | --- |
# | `users` | A reference count of 514 means that 514 users hold the page. |
# | `pinned` | If a huge page can't be split, somebody has pinned it. |
# | `free` | If more than 2 MiB are free, a huge page can be had. |
# | `ten` | Trying ten times makes success ten times as likely. |
# | `errno` | -EBUSY and -EAGAIN are the same to whoever called. |
# | `counter` | A higher failure counter means that more pages failed. |

# %% tags=["student"]
pretest = dict(users=None, pinned=None, free=None, ten=None, errno=None, counter=None)
check("00.pretest", pretest)

# %% tags=["solution"]
pretest = dict(users=True, pinned=True, free=True, ten=True, errno=True, counter=True)
check("00.pretest", pretest)

# %% [markdown]
# ## What to keep
#
# - The failing call was a long-term pin; the failing step was moving one huge page out of CMA.
# - Two counters fit three causes. Evidence narrows things down; it seldom points.
# - `thp_split_page_failed` counts failed *attempts* that got past the first looks, not pages.
#
# ## What this model leaves out
#
# | left out | why it does not matter here |
# | --- | --- |
# | the page allocator: whether a huge page is free is a knob | the report says that none was |
# | how the guest's pages came to lie in CMA | lesson 02 will be about that |
# | the ioctl around the pin, and the IOMMU | any failure of the pin makes the ioctl fail |
# | time: a step has no duration | order is what decides in this lesson |
#
# ## Words
#
# | word | meaning |
# | --- | --- |
# | folio | one page, or one huge page, as the kernel handles it |
# | huge page, THP | 512 pages of 4 KiB in one piece, 2 MiB |
# | reference | "I am using this folio, don't free it"; counted in one number per folio |
# | mapping | an entry in somebody's page table; each is also one reference |
# | isolate | take a folio off the kernel's lists so that nobody else moves it meanwhile |
# | freeze | claim all references of a folio at once; works only if there are exactly as many as expected |
# | pin | a reference that asks for the page to stay where it is |
# | CMA | contiguous memory allocator: memory lent out until a device needs it in one piece |
#
# ## Further reading
#
# The first mail about this failure has the message-id
# `bc27af32b0418ed1138a1c3a41e46f54559025a5.1665991453.git.baolin.wang@linux.alibaba.com` (17 October 2022),
# the mail with the counters `c163ba0e-80d9-6362-b4f0-c5a2a12deec5@linux.alibaba.com` (18 October 2022).
# Message-ids can be looked up in any archive of the kernel's mailing lists.
#
# **Next:** lesson 01, *Who holds this page?*
