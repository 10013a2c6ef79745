"""The report as a picture: what a host does before a virtual machine can start.

Interface: story_svg, story_sentence
"""

from __future__ import annotations

from mmsim.views.svg import BAD, BODY, INK, MUTED, PANEL, SMALL, TITLE, Svg, text_width, wrap

WIDTH, HEIGHT = 1100, 250
_STEPS = (
    ("memfd_create()", "memory for the guest, as a file that exists in memory only"),
    ("mmap(MAP_POPULATE)", "the kernel fills it at once, with huge pages of 2 MiB"),
    ("some land in CMA", "memory that is only lent: it may not stay there for good"),
    ("VFIO_IOMMU_MAP_DMA", "a device gets access: every page must be pinned, and leave CMA first"),
    ("-ENOMEM", "step 4 fails if one huge page can neither be moved nor split"),
)


def story_sentence() -> str:
    """The picture in words."""
    return (
        "; then ".join(f"{name}: {what}" for name, what in _STEPS) + ". The guest does not start."
    )


def story_svg() -> str:
    """Five boxes in a row, the last one marked as the failure."""
    svg = Svg(WIDTH, HEIGHT, "From memfd to a guest that does not start", story_sentence())
    svg.text(
        24,
        36,
        "What happens before a guest starts; sometimes the fourth step fails",
        WIDTH - 48,
        size=TITLE,
        bold=True,
    )
    width, gap = 192.0, 22.0
    for number, (name, what) in enumerate(_STEPS):
        x, last = 24 + number * (width + gap), number == len(_STEPS) - 1
        svg.rect(
            x,
            62,
            width,
            150,
            fill=PANEL,
            stroke=BAD if last else INK,
            rx=6,
            stroke_width=2.5 if last else 1.2,
        )
        svg.text(x + 12, 86, f"{number + 1}", 20, size=SMALL, fill=MUTED)
        size = min(BODY, BODY * (width - 24) / text_width(name, BODY, bold=True))
        svg.text(x + 12, 110, name, width - 22, size=size, bold=True, fill=BAD if last else INK)
        for line, words in enumerate(wrap(what, width - 24, BODY, 5)):
            svg.text(x + 12, 134 + 18 * line, words, width - 24)
        if not last:
            svg.path(f"M{x + width + 3:g} 137H{x + width + gap - 5:g}m-6 -5l6 5l-6 5")
    svg.text(
        24,
        236,
        "Lesson 02 is about step 3; the others take 4 and 5 apart.",
        WIDTH - 48,
        size=SMALL,
        fill=MUTED,
    )
    return svg.render()
