"""The answers, and what is worth a second look."""

from __future__ import annotations

from harness.report.content import DOCUMENTS, Block, Bullets, Cards, Paragraph, Section, note
from harness.report.view import View
from harness.report.words import answers as words
from harness.report.words.surprises import surprises as found


def answers(view: View) -> Section:
    """The question of each scenario, and what came out."""
    cards = words.answers(view)
    blocks: tuple[Block, ...] = (Paragraph(("The run has no scenario.",)),)
    if cards:
        blocks = (Cards(cards),)
        if names := words.names_note(view):
            blocks = (*blocks, note(names))
    return Section("answers", "Answers", blocks, outputs=DOCUMENTS)


def surprises(view: View) -> Section | None:
    """What a reader who looks at one figure alone would get wrong; None if there is nothing."""
    sentences = found(view)
    if not sentences:
        return None
    return Section("surprises", "Worth a second look", (Bullets(sentences),), outputs=DOCUMENTS)
