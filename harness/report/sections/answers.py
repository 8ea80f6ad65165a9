"""The answers, and what is worth a second look."""

from __future__ import annotations

from harness.report.content import (
    DOCUMENTS,
    Block,
    Bullets,
    Cards,
    Paragraph,
    Section,
    Subheading,
    note,
)
from harness.report.view import View
from harness.report.words.answers import groups as answered
from harness.report.words.answers import names_note
from harness.report.words.pairs import labels_note
from harness.report.words.surprises import surprises as found


def answers(view: View) -> Section:
    """The question of each scenario, and what came out."""
    groups = answered(view)
    blocks: list[Block] = []
    for group in groups:
        blocks += [Subheading(group.heading), Cards(group.cards)]
    if not groups:
        blocks = [Paragraph(("The run has no scenario.",))]
    told = (finding for group in groups for card in group.cards for finding in card.findings)
    blocks += [note(words) for words in (names_note(view), labels_note(told)) if words]
    return Section("answers", "Answers", tuple(blocks), outputs=DOCUMENTS)


def surprises(view: View) -> Section | None:
    """What a reader who looks at one figure alone would get wrong; None if there is nothing."""
    sentences = found(view)
    if not sentences:
        return None
    return Section("surprises", "Worth a second look", (Bullets(sentences),), outputs=DOCUMENTS)
