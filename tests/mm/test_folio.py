"""Arithmetic of references, and the quick replacement of fields."""

import pytest
from small import NR, folio, isolated

from mmsim.constants import ANON, HPAGE_PMD_ORDER
from mmsim.mm.folio import Folio, Page, expected_refs, extra_pins, replace


@pytest.mark.parametrize(
    ("made", "expected", "extra"),
    [
        (folio("A", HPAGE_PMD_ORDER), 513, 512),
        (folio("A"), NR + 1, NR),
        (folio("P", 0), 2, 1),
        (folio("A", kind=ANON, cached=False), 1, 0),
        (folio("A", kind=ANON), NR + 1, NR),
        (folio("A", cached=False, mapping=False), 1, NR),
    ],
    ids=["THP", "small THP", "page", "anon", "anon in the swap cache", "truncated"],
)
def test_what_migration_and_split_expect(made, expected, extra):
    assert expected_refs(made) == expected
    assert extra_pins(made) == extra


def test_a_huge_page_is_mapped_once_by_a_pmd():
    made = folio("A", HPAGE_PMD_ORDER)
    assert (made.nr_pages, made.refcount, made.mapcount) == (512, 513, 1)
    assert isolated("A", HPAGE_PMD_ORDER).refcount == 514
    assert folio("A", HPAGE_PMD_ORDER, pmd_maps=0, pte_maps=512).refcount == 1024


def test_replace_is_the_standard_one_but_quicker():
    made = folio("A")
    assert replace(made, refcount=9, dirty=False) == made._replace(refcount=9, dirty=False)
    assert type(replace(made, lru=False)) is Folio
    with pytest.raises(KeyError):
        replace(made, colour="blue")


def test_an_entry_of_a_list_of_pages():
    assert str(Page(0x200, 512)) == "0x200+512"
    assert Page(0x200, 512).is_thp
    assert not Page(0x200, 1).is_thp
