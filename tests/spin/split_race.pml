/*
 * One actor tries to split a huge page that it has isolated and locked, up to PASSES times.
 * Each of HOLDERS other actors takes one reference on it and drops it again.
 *
 * Written from the kernel's order of checks (mm/huge_memory.c, Linux 6.1) and not from mmsim's
 * code, so that two models can disagree.  How the two are compared is told in README.md.
 *
 * Given by -D: PASSES, HOLDERS, NR (pages of the huge page), ANON (1: anonymous memory,
 * 0: a file in shmem).
 *
 * Every statement that an actor can stop at is one transition: a lone guard, or a d_step.
 * Nobody reaches the end of a proctype, because a process that ends is a transition of its own.
 */

/* The huge page; once it is split, its first page. */
byte pmd_maps = 1, pte_maps = 0;
byte pmd_entries = 0, pte_entries = 0;  /* migration entries */
byte holders = 0;                     /* references that holders have */
bool frozen = false, whole = true;

/* Events, and how it ended. */
byte split_pmd = 0, failed = 0, split = 0;
bool returned = false;

/* References: the cache's (one a page), one a mapping, the splitter's own, the holders'. */
#define CACHE   (ANON -> 0 : (whole -> NR : 1))
#define REFS    (CACHE + pmd_maps + pte_maps + 1 + holders)
#define MAPPED  (pmd_maps + pte_maps)
#define LAST    (failed + 1 == PASSES)  /* every attempt but a split one is a failed one */

active proctype splitter()
{
attempt:
	true;                           /* which kind of memory is it? */
	true;                           /* is it being written back? no */
#if ANON
	if                              /* its anon_vma can be had, if anybody maps it */
	:: MAPPED > 0
	:: MAPPED == 0 -> goto refused
	fi;
#else
	true;                           /* it still belongs to its file */
	true;                           /* it has no private data that stays */
	true;                           /* there is memory for the nodes */
#endif

	if                              /* site 1: a look without any lock */
	:: MAPPED == REFS - CACHE - 1
	:: MAPPED != REFS - CACHE - 1 -> goto refused
	fi;
	d_step {                        /* unmap; anonymous mappings leave migration entries */
		split_pmd = split_pmd + pmd_maps;
		pmd_entries = ANON * pmd_maps;
		pte_entries = ANON * pte_maps;
		pmd_maps = 0;
		pte_maps = 0
	};
#if !ANON
	true;                           /* the page cache still has it at this place */
#endif
	if                              /* site 2: claim all references at once */
	:: d_step { REFS == CACHE + 1 -> frozen = true }
	:: REFS != CACHE + 1;
	   d_step {                     /* put anonymous mappings back, one for each page */
		pte_maps = pmd_entries * NR + pte_entries;
		pmd_entries = 0;
		pte_entries = 0
	   };
	   goto refused
	fi;

	d_step {                        /* cut it up; each page has the entries' mappings */
		whole = false;
		pte_maps = pmd_entries + pte_entries / NR;
		pmd_entries = 0;
		pte_entries = 0;
		frozen = false
	};
	d_step { split++; returned = true };
	goto over;

refused:
	if
	:: d_step { !LAST -> failed++ }; goto attempt
	:: d_step { LAST -> failed++; returned = true }
	fi;
over:
	false
}

active [HOLDERS] proctype holder()
{
	d_step { !frozen -> holders++ };
	holders--;
	false
}

/* Safety, and that something can happen at all.  race.py asks mmsim the same by the same names. */
ltl cut_up_alone        { [] (frozen -> holders == 0) }
ltl one_pmd_split       { [] (split_pmd <= 1) }
ltl nothing_left_over   { [] (returned -> pmd_entries + pte_entries == 0) }
ltl never_refused       { [] (failed == 0) }
ltl never_split         { [] (split == 0) }
ltl never_rescued       { [] !(split > 0 && failed > 0) }
ltl always_split        { [] (returned -> split > 0) }
