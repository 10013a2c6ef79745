# %% [markdown]
# # 03 · Plenty free, nothing big
#
# *40 minutes. You have done lessons 00 to 02, or know that CMA memory is lent out and that a long-term pin may not lie
# in it.*
#
# After this lesson you can
#
# - tell free memory from free blocks of 2 MiB;
# - work out the largest free block from a map of pages;
# - predict whether a huge page can be had, by a process and by a pin;
# - read the three numbers that the kernel has for this, and say what they leave out.
#
# | part | minutes |
# | --- | --- |
# | Recall; free memory comes in blocks | 10 |
# | Forty percent free | 6 |
# | How little is enough; how likely is a free block? | 8 |
# | Who gets what; the kernel's three numbers | 10 |
# | A real kernel; the pin fails | 6 |

# %%
from mmsim import Prediction, boot_guest, chance_by_share, chance_table, check, enough
from mmsim import fragmented, fragmented_pins, hint, host, host_console, indices_table, paste
from mmsim import proc_text, ready, show_chart, show_memory, show_result, show_table, show_zone
from mmsim import strips, supply

ready()

# %% [markdown]
# ## Recall
#
# Three questions about lessons 01 and 02, from memory. One letter each.
#
# - `cache`: how many references does the page cache have on a huge page? **a** 1, **b** 2, **c** 512.
# - `cma`: which request may be served from CMA? **a** any, **b** one for memory that can be moved later,
#   **c** only one for a long-term pin.
# - `half`: when does such a request go to CMA *first*? **a** whenever CMA has a free page, **b** when more than half
#   of the free memory is CMA, **c** only when nothing else is free.

# %% tags=["student"]
recall = {"cache": None, "cma": None, "half": None}
check("03.recall", recall)

# %% tags=["solution"]
recall = {"cache": "c", "cma": "b", "half": "b"}
check("03.recall", recall)

# %% [markdown]
# ## Free memory comes in blocks
#
# The kernel's **buddy allocator** keeps free memory in blocks of 1, 2, 4, … pages. A block of 2ⁿ pages has
# **order** n, and it begins at a page number that is a multiple of 2ⁿ: it is *aligned*. When two
# neighbours, *buddies*, are both free and together make an aligned block of twice the size, they are merged;
# so every free page is in the largest free block that it can be in. The largest order is 10 (4 MiB, Linux 6.1). A huge
# page needs order 9: 512 pages, 2 MiB, aligned.
#
# Sixteen pages; `#` is in use, `.` is free:
#
# ```
# page  0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
#       #  .  .  .  .  .  .  .  .  .  #  .  .  .  .  #
# ```
#
# Thirteen pages are free, nine of them in a row, and yet the largest free block has four pages:
#
# | order | pages in a block | free blocks | how many |
# | --- | --- | --- | --- |
# | 0 | 1 | 1, 11, 14 | 3 |
# | 1 | 2 | 2–3, 8–9, 12–13 | 3 |
# | 2 | 4 | 4–7 | 1 |
# | 3 | 8 | none: 0–7 and 8–15 both have a page in use | 0 |
# | 4 | 16 | none | 0 |

# %% tags=["check"]
from mmsim.views.strips import blocks_in_words, free_blocks

assert free_blocks((0, 10, 15)) == (3, 3, 1, 0, 0)
assert blocks_in_words((0, 10, 15)) == "1, 2-3, 4-7, 8-9, 11, 12-13, 14"

# %% [markdown]
# **Your turn.** Count the free blocks of orders 0 to 4 in each strip. (Another seed, in both cells, gives other
# strips. Stuck? `hint("03.blocks")` gives the next hint at each call.)

# %%
show_table(strips(seed=1))

# %% tags=["student"]
counted = {
    "seed": 1,
    "a": (None, None, None, None, None),
    "b": (None, None, None, None, None),
    "c": (None, None, None, None, None),
}
check("03.blocks", counted)

# %% tags=["solution"]
counted = {
    "seed": 1,
    "a": (1, 2, 0, 1, 0),
    "b": (4, 2, 1, 0, 0),
    "c": (2, 2, 1, 0, 0),
}
check("03.blocks", counted)

# %% [markdown]
# ## Forty percent free
#
# A host has 1 GiB of memory; that is 512 times 2 MiB. It has been running for weeks. 60 % of its pages are in
# use, 40 % are free, and the free ones are scattered: some stretches of 2 MiB are full, and in all others pages in
# use and free ones lie mixed. (No CMA yet.)
#
# How many blocks of 2 MiB are free? And does a process that asks for a huge page get it?

# %%
guess = Prediction(
    "1 GiB, 40 % free, scattered. What is there to be had?",
    {
        "blocks of 2 MiB": (0, 20, 102, 204),
        "a huge page": ("granted", "-ENOMEM"),
    },
)

# %% tags=["nbval-ignore-output"]
host_console(host(cma=0, used=60), unlock=guess)

# %% [markdown]
# Without a widget, write your two answers here.

# %% tags=["student"]
answers = {"blocks of 2 MiB": None, "a huge page": None}
guess.store(**answers)

# %% tags=["solution"]
answers = {"blocks of 2 MiB": 0, "a huge page": "-ENOMEM"}
guess.store(**answers)

# %%
worn = host(cma=0, used=60)
guess.show_against(supply(worn.zone))

# %%
show_zone(worn.zone, after=guess)

# %% tags=["solution", "check"]
assert supply(worn.zone) == {
    "blocks of 2 MiB": 0,
    "largest free block": "32 KiB",
    "a huge page": "-ENOMEM",
}
tidy = worn.with_(scattered=0)
assert supply(tidy.zone)["blocks of 2 MiB"] == 198 and supply(tidy.zone)["a huge page"] == "granted"
assert round(worn.zone.nr_free / worn.zone.nr_pages, 2) == 0.4
assert round(tidy.zone.nr_free / tidy.zone.nr_pages, 2) == 0.4
assert supply(worn.with_(used=1).zone)["blocks of 2 MiB"] == 0
assert worn.zone.nr_free > 100_000 and worn.zone.lists()["MOVABLE"][3:] == (59,) + (0,) * 7

# %% [markdown]
# On the left, each cell of the map is a **pageblock**, 2 MiB, light as far as it is free. Here all of them are
# MOVABLE, ordinary memory for pages that can be moved. On the right, the
# same free memory by the size of its blocks: the bar says how much, the number how many. Both ask about one
# order, here 9: a diamond on the map, and the rows above the dashed line, are blocks that are large enough for it.
#
# <details><summary><b>How much, and in what pieces?</b> Open when you have predicted.</summary>
#
# More than 100,000 pages are free, and there is not one block of 2 MiB; not even with `used` at 1. With the same
# 40 % and `scattered` at 0 there are 198 of them, and a huge page is no problem. How much is free, and in what
# pieces, are two different things. (Single pages can be had all the time, so nothing seems to be wrong: a process
# that does not get its huge page gets small ones instead.) The largest free blocks have 32 KiB: eight aligned free
# pages in a row still happen by chance, 59 times here; sixteen did not.
#
# **A common mistake:** "gigabytes are free, so 2 MiB can be had." What counts is whether 512 aligned neighbours are
# free *at the same time*.
#
# </details>
#
# | knob | values | at first | meaning |
# | --- | --- | --- | --- |
# | `host` | 16 to 1048576 | 1024 | memory in MiB |
# | `cma` | 0 to 100 | 60 | percent of it that a CMA area has |
# | `used` | 0 to 100 | 50 | percent of the rest that is in use |
# | `scattered` | 0 to 100 | 100 | percent of the rest's free memory that lies in partly used pageblocks |
# | `seed` | 0 to 999999 | 1 | where the pages in use lie |
#
# Turn `used`, then `scattered`: when does the first block of 2 MiB appear? Without a widget:
# `show_zone(host(cma=0, used=60, scattered=50).zone)`.
#
# ## How little is enough?
#
# **Task.** 16 MiB of memory have 4,096 pages, numbered from 0, all of them free. Which pages do you hold so that no
# huge page can be had, and as few as possible? The model holds them and asks for a huge page.

# %% tags=["student"]
held = None  # for instance [0, 700, 3000]
check("03.least", held)

# %% tags=["solution"]
held = list(range(0, 4096, 512))  # any one page of each pageblock
check("03.least", held)

# %% [markdown]
# ## How likely is a free block?
#
# Memory that is freed page by page, in no order, looks as if the free pages had been drawn by lot. Take 8 pages and
# let 4 of them, drawn by lot, be free. What is the chance that there is a free block of order 2 (pages 0–3 or
# 4–7)? Count the ways.

# %% tags=["student"]
odds = None  # a fraction as text, for instance "1/2"
check("03.chance", odds)

# %% tags=["solution"]
odds = "1/35"
check("03.chance", odds)

# %% [markdown]
# The model counts all ways for larger strips too, exactly, and also tries: it draws 2,000 times. Half of the pages are
# free in each row. (99 times of 100, such an interval contains the true chance.)

# %%
show_table(chance_table(seed=1, times=2000), after="03.chance")

# %% tags=["solution", "check"]
table = chance_table(seed=1, times=2000)
chances = ["1/35 = 0.029", "329/2145 = 0.153", "0.371", "0.657", "1/6435 = 1.6e-04", "0.019"]
assert list(table["chance"]) == chances and set(table["chance is inside"]) == {"yes"}

# %% [markdown]
# With more pages the chance of a block of 4 goes up: there are more places for it. With a larger block it goes down,
# and much faster. A huge page is a block of 512. In 1 GiB, how many of the pages must be free, drawn by lot, for a
# free block of 2 MiB to be likelier than not?

# %%
lot = Prediction(
    "1 GiB, free pages drawn by lot. A free 2 MiB block is likelier than not from",
    {"free": ("40 %", "75 %", "90 %", "99 %")},
)

# %% tags=["student"]
lot.store(free=None)

# %% tags=["solution"]
lot.store(free="99 %")

# %%
lot.show_against({"free": enough((40, 75, 90, 99))})

# %%
show_table(chance_by_share((40, 90, 98, 98.7, 99)), after=lot)

# %% tags=["solution", "check"]
chances = chance_by_share((40, 90, 98, 98.7, 99)).iloc[:, 0]
assert list(chances) == ["4.4e-202", "1.8e-21", "0.016", "0.467", "0.951"]
assert enough((40, 75, 90, 99)) == "99 %"

# %% [markdown]
# <details><summary><b>Can one wait for luck?</b> Open when you have predicted.</summary>
#
# No. The even chance comes a little above 98.7 %. At 40 % the chance has 201 zeros behind the point.
#
# </details>
#
# Real memory does not look as if drawn by lot: pages that can't be moved are kept together, in pageblocks of another
# type, and *compaction* moves pages to make room. Where a few pages in each pageblock can't be moved, neither helps.
#
# ## Who gets what
#
# Now the host has a CMA area, 25 % of its memory, which is free; the rest is scattered as before. Three requests, each by
# itself. Where does it get its memory from: `"CMA"`, `"ordinary memory"`, or nowhere, `"-ENOMEM"`?

# %% tags=["student"]
gets = {
    "huge page, for a process": None,
    "huge page, for a long-term pin": None,
    "single page, for a long-term pin": None,
}
check("03.requests", gets)

# %% tags=["solution"]
gets = {
    "huge page, for a process": "CMA",
    "huge page, for a long-term pin": "-ENOMEM",
    "single page, for a long-term pin": "ordinary memory",
}
check("03.requests", gets)

# %%
lent = host(cma=25, used=60)
show_zone(lent.zone, after="03.requests")

# %% tags=["solution", "check"]
free_cma, free = lent.zone.nr_free_cma, lent.zone.nr_free
assert free_cma * 2 < free and round(100 * free_cma / free) == 46
assert supply(lent.zone)["blocks of 2 MiB"] == 128

# %% [markdown]
# **Explain** in one sentence: does the half rule of lesson 02 decide the first answer? If not, what does?

# %% [markdown]
# <details><summary><b>What decides?</b> Open when you have your sentence.</summary>
#
# No: CMA is only 46 % of what is free. But `__rmqueue()` (Linux 6.1) looks into CMA as soon as the lists of the
# request's own type have no block that is large enough, and before it takes one from another type. This is the second
# road of lesson 02: when ordinary memory is in pieces, *all* huge pages of guests land in CMA.
#
# And then they can't leave it *whole*: for that a pin needs free huge pages outside CMA, and there are none unless
# compaction makes some. That is why they lie in CMA.
#
# </details>
#
# ## The kernel has three numbers for this
#
# | number | what it says | where |
# | --- | --- | --- |
# | `unusable_index` | the share of free memory that lies in blocks too small for an order: 0.000 none, 1.000 all of it | a file in `/sys/kernel/debug/extfrag/` |
# | `extfrag_index` | why a request would fail: near 0 for want of memory, near 1 because it is in pieces; -1.000: it would not fail | the same |
# | `extfrag_for_order` | the first one in percent | inside the kernel, for proactive compaction |
#
# For the host without CMA they say what you have seen:

# %%
show_table(indices_table(worn.zone.lists(), 9), after=guess)

# %% tags=["solution", "check"]
numbers = indices_table(worn.zone.lists(), 9)
assert list(numbers.iloc[:, 0]) == list(numbers.iloc[:, 1]) == [0, "1.000", "0.998", "100 %"]

# %% [markdown]
# The column on the right is an extension of this model, no number of the kernel. It counts only the lists that a
# request *in pin scope*, made while memory is being pinned for long, may take from.
#
# **Task.** Build a host of which at least 90 % is free, whose `extfrag_index` for order 9 is -1.000 (a request would
# succeed), and where a huge page for a long-term pin can't be had. The knobs are those of the table further up.

# %% tags=["student"]
mine = None  # for instance host(cma=0, used=1)
check("03.healthy", mine)

# %% tags=["solution"]
mine = host(cma=1, used=1)
check("03.healthy", mine)

# %%
show_table(indices_table(lent.zone.lists(), 9), after="03.healthy")

# %% tags=["solution", "check"]
numbers = indices_table(lent.zone.lists(), 9)
assert list(numbers.iloc[:, 0]) == [128, "0.544", "-1.000", "54 %"]
assert list(numbers.iloc[:, 1]) == [0, "1.000", "0.998", "100 %"]

# %% [markdown]
# <details><summary><b>Two traps, one reason.</b> Open when you have built your host.</summary>
#
# The kernel's numbers sum up all lists, CMA included.
#
# 1. `extfrag_index` says -1.000, "would succeed", as soon as CMA has a single block that is large enough.
# 2. `unusable_index` looks half good (0.544 here), as if the other half of free memory could be used. By the pin,
#    nothing of it can.
#
# `/proc/buddyinfo` sums up in the same way. `/proc/pagetypeinfo` has the lists one by one; look there.
#
# </details>
#
# ## A real kernel says the same
#
# A kernel was run in an emulated machine with 1 GiB, a quarter of it CMA. Its memory was filled with small pages, CMA
# was given back, every other page outside was freed, and what was left of order 9 was used up. The kept ones
# are the "pages in between" of the table further down.

# %%
show_chart(fragmented(), after="03.healthy")

# %% tags=["check"]
measured = fragmented().table
before, after = measured.loc["just booted"], measured.loc["order 9 used up"]
assert list(before[["unusable_index", "extfrag_index"]]) == ["0.008", "-1.000"]
assert list(after[["unusable_index", "extfrag_index"]]) == ["0.583", "-1.000"]
assert before["2 MiB outside CMA"] == 356 and after["2 MiB outside CMA"] == 0
assert after["2 MiB in CMA"] == 126 and after["free pages"] - after["free in CMA"] == 89757
assert round(89757 * 4 / 1024) == 351

# %% [markdown]
# At the end 351 MiB are free outside CMA, and none of it in a block of 2 MiB. `unusable_index` has gone from 0.008 to
# 0.583; `extfrag_index` is -1.000 all the time. Then memory of a memfd was filled, as for a guest, and
# pinned, at most four huge pages in each pin.

# %%
show_table(fragmented_pins(), after="03.healthy")

# %% tags=["check"]
pins = fragmented_pins()
assert list(pins["huge pages"]) == list(pins["of them in CMA"]) == [144, 6, 288]
assert list(pins["moved whole"]) == [0, 0, 288] and list(pins["split"]) == [144, 0, 0]
assert list(pins["failed pins"]) == [0, 6, 0] and list(pins["pins"]) == [36, 6, 72]
assert list(pins["huge pages"] // pins["pins"]) == [4, 1, 4]

# %% [markdown]
# All of the huge pages lay in CMA: the second road again. Where the pages in between could not be moved, no huge page moved
# whole. All 144 were split, and their pieces found room. One foreign reference that stays on a page that has to be
# split, and the pin fails (6 of 6). Where the pages in between could be moved, compaction made room, and nothing was split.
#
# ## The pin fails although plenty is free
#
# The same in the model: a guest of 8 MiB on the host with CMA. Nobody holds a foreign reference here. The version is
# `base`: later a patch was proposed that tries a split again, and `base` is the kernel without it. (The measured
# kernel also has a repair of a return value, which `base` lacks; lesson 04 tells of both.)

# %%
run = boot_guest("base", host=1024, cma=25, used=60, guest=8).run()
show_result(run, after="03.requests")

# %% tags=["check"]
start = boot_guest("base", host=1024, cma=25, used=60, guest=8)
assert start.landed()[:2] == (4, 0) and start.landed().targets == 0
assert run.results["guest"] == -12 and run.last.world.vmstat["thp_split_page"] == 1
assert run.last.world.zone.nr_free * 4 // 1024 > 500
together = boot_guest("base", host=1024, cma=25, used=60, scattered=0, guest=8)
assert together.landed()[:2] == (0, 4) and together.run().results["guest"] == 0

# %% [markdown]
# More than 500 MiB are free, and the pin returns `-ENOMEM`. With `scattered=0` the same guest never gets into CMA, and the
# pin has nothing to do. What happens in these steps, what the counters count, why a huge page is split and why this kernel
# still calls it a failure, is told in [lesson 04](04_migrate_or_split.ipynb).
#
# ## What to keep
#
# - Free memory and free blocks are two things. A huge page needs 512 aligned free neighbours; one page in use spoils it.
# - One page in each pageblock is enough: 99.8 % free, and no huge page.
# - When ordinary lists have no block that is large enough, movable requests go to CMA, half or not.
# - A pin may not use that. Buddyinfo, `unusable_index` and `extfrag_index` count it all the same.
#
# ## What this model leaves out
#
# | left out | consequence |
# | --- | --- |
# | how memory came to be scattered | the pages in use are drawn by lot; a pageblock that is partly used has about half of its pages free, if enough is in use |
# | variety | a pattern of 62 pageblocks is repeated through the whole host, which the map shows as stripes |
# | compaction and reclaim | off in these hosts; a kernel tries both before it says -ENOMEM, and where pages can be moved often succeeds |
# | per-CPU lists | free pages that wait there are in none of the lists |
# | several zones and nodes | one zone; a kernel would look into the next one |
# | pageblocks of other sizes | the measured kernel's had 4 MiB, these have 2 MiB |
#
# ## Words
#
# | word | meaning |
# | --- | --- |
# | order | a block of order n has 2ⁿ pages and begins at a multiple of 2ⁿ |
# | buddy | the neighbour with which a block makes one of the next order |
# | fragmentation | free memory in pieces that are too small |
# | pageblock | 2 MiB; the unit in which the kernel keeps memory of one type together |
# | free list | the free blocks of one order and one type |
# | pin scope | the time in which memory is being pinned for long; requests made then may not use CMA |
# | compaction | moving pages so that free ones come together |
# | zone | a range of memory that is managed as one |
#
# ## Further reading
#
# In the source of Linux 6.1: `mm/page_alloc.c` (`__rmqueue()`, `__rmqueue_smallest()`, `__free_one_page()`), `mm/vmstat.c`
# (`unusable_free_index()`, `__fragmentation_index()`, `extfrag_for_order()`), `mm/compaction.c`, and
# `Documentation/admin-guide/sysctl/vm.rst` about `extfrag_threshold` and `compaction_proactiveness`.
#
# ## More to try
#
# 1. `host_console(host(host=4096, cma=25, used=30))`: at which `scattered` does the last block of 2 MiB outside CMA go away?
# 2. `boot_guest("base", cma=25, used=60, compaction="on", guest=8).run()`, shown by `show_result(...)`: what is different, and
#    which pages had to move?
# 3. A huge page is spoiled by one page. Is order 4 (64 KiB) as easily spoiled? Set `order` to 4 and turn
#    `used`; without a widget, `show_zone(host(cma=0, used=30).zone, order=4)`.
# 4. Your own machine. On Linux, paste what `cat /proc/buddyinfo` or `sudo cat /proc/pagetypeinfo` prints; on another
#    system, press *An example*. What is the largest free block of your largest zone, and does it have CMA?
#    Without a widget: `show_memory("""...""")`. The host with CMA would print `proc_text(lent.zone)`; here it is drawn.

# %% tags=["nbval-ignore-output"]
paste()

# %%
show_memory(proc_text(lent.zone), after="03.healthy")

# %% [markdown] tags=["solution"]
# **Model answers.**
#
# 1. At 98. At 97 there are still 25.
# 2. The pin succeeds. Compaction moves pages in use together, outside CMA; so blocks of 2 MiB become free there, and all
#    four huge pages of the guest move whole. Nothing is split.
# 3. Not as easily: it needs 16 free neighbours instead of 512. With `used` at 30 there are 65 blocks of 64 KiB to be had,
#    at 40 none.

# %% tags=["solution", "check"]
from mmsim.mm.fragmentation import PIN_SCOPE_TYPES, suitable, summed

lists = {s: host(host=4096, cma=25, used=30, scattered=s).zone.lists() for s in (97, 98)}
assert [suitable(summed(free, PIN_SCOPE_TYPES), 9) for free in lists.values()] == [25, 0]
packed = boot_guest("base", cma=25, used=60, compaction="on", guest=8).run()
assert packed.results["guest"] == 0 and packed.last.world.vmstat["thp_migration_success"] == 4
few = {u: summed(host(cma=0, used=u).zone.lists()) for u in (30, 40)}
assert [suitable(free, 4) for free in few.values()] == [65, 0]

# %% [markdown]
# **Next:** [lesson 04, *Migrate, or split and migrate*](04_migrate_or_split.ipynb).
