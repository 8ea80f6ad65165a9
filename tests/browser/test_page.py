"""The report in a real browser, as its readers meet it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from harness.report import dark, palette
from tests.browser.conftest import Open
from tests.browser.hostile import SCENARIOS, STACKS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

SCHEMES = ("light", "dark")

#: Of every text of every drawing: its words, its box on the screen and its colour.
_TEXTS = """() => [...document.querySelectorAll("svg")].map(svg => {
  const frame = svg.getBoundingClientRect()
  return {frame: [frame.left, frame.top, frame.right, frame.bottom],
          texts: [...svg.querySelectorAll("text")].filter(text => text.textContent.trim()).map(text => {
    const box = text.getBoundingClientRect()
    return {words: text.textContent, fill: getComputedStyle(text).fill,
            box: [box.left, box.top, box.right, box.bottom]}})}})"""


def _drawings(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(_TEXTS)
    return found


def _hex(colour: str) -> str:
    """`rgb(31, 41, 51)` as `#1f2933`."""
    return "#" + "".join(f"{int(channel):02x}" for channel in re.findall(r"\d+", colour)[:3])


def _background(page: Page, selector: str) -> str:
    """The colour behind an element."""
    colour: str = page.evaluate(
        """selector => {
          let element = document.querySelector(selector), colour
          do { colour = getComputedStyle(element).backgroundColor; element = element.parentElement }
          while (element && colour === "rgba(0, 0, 0, 0)")
          return colour }""",
        selector,
    )
    return _hex(colour)


# ------------------------------------------------------------------------- what it asks for


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_page_needs_nothing_and_complains_of_nothing(
    report: Path, opened: Open, scheme: str
) -> None:
    page = opened(report / "index.html", scheme=scheme)
    for summary in page.locator("summary").all():
        summary.click()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert page.locator("h1").count() == 1  # the fixture looks for complaints


# ------------------------------------------------------------------------- how it looks


def test_a_page_does_not_scroll_sideways(report: Path, opened: Open) -> None:
    page = opened(report / "index.html")
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    for width in (360, 768, 1600):
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate(
            """() => {
              const inside = element => element.closest(".scroll, .chart, pre, caption")
              return [...document.body.querySelectorAll("*")]
                .filter(element => element.getBoundingClientRect().right > innerWidth + 1 && !inside(element))
                .map(element => `${element.tagName} ${element.textContent.trim().slice(0, 60)}`) }"""
        )
        assert not wide, width
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), width


@pytest.mark.parametrize("scheme", SCHEMES)
def test_words_in_drawings_stand_out_from_what_is_behind_them(
    report: Path, opened: Open, scheme: str
) -> None:
    page = opened(report / "index.html", scheme=scheme)
    paper = _background(page, ".chart")
    assert (dark.contrast(paper, "#000000") < 4) == (scheme == "dark")
    for drawing in _drawings(page):
        for text in drawing["texts"]:
            assert dark.contrast(_hex(text["fill"]), paper) >= 4.5, text["words"]


def test_a_page_is_printed_dark_on_light_whatever_the_scheme(reference: Path, opened: Open) -> None:
    page = opened(reference / "index.html", scheme="dark")
    page.emulate_media(media="print")
    paper = _background(page, ".chart")
    for drawing in _drawings(page):
        for text in drawing["texts"]:
            assert dark.contrast(_hex(text["fill"]), paper) >= 4.5, text["words"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_drawing_can_be_read_alone(reference: Path, opened: Open, scheme: str) -> None:
    page = opened(reference / "charts" / "throughput.svg", scheme=scheme)
    paper = _background(page, "svg")
    assert paper == (dark.on_dark(palette.PAPER) if scheme == "dark" else palette.PAPER)
    (drawing,) = _drawings(page)
    assert drawing["texts"]
    for text in drawing["texts"]:
        assert dark.contrast(_hex(text["fill"]), paper) >= 4.5, text["words"]


#: The font that widths were measured with; one that is narrower, for readers who don't have it; and
#: letters as far apart as in fonts that are a little wider.
FONTS = {
    "measured": "",
    "narrower": "font-family: 'Liberation Sans', Arial, sans-serif",
    "wider": "letter-spacing: 0.015em",
}


def test_words_in_drawings_do_not_overlap_and_are_not_cut_off(report: Path, opened: Open) -> None:
    page = opened(report / "index.html")
    for font, rule in FONTS.items():
        style = page.add_style_tag(content=f"text {{ {rule} }}")
        for drawing in _drawings(page):
            _look_for_collisions(drawing, font)
        style.evaluate("element => element.remove()")


def _look_for_collisions(drawing: Mapping[str, Any], font: str) -> None:
    left, top, right, bottom = drawing["frame"]
    texts = drawing["texts"]
    for place, text in enumerate(texts):
        a = text["box"]
        inside = left - 1 <= a[0] and a[2] <= right + 1 and top - 1 <= a[1] and a[3] <= bottom + 1
        assert inside, f"{text['words']!r} is cut off ({font})"
        for other in texts[place + 1 :]:
            b = other["box"]
            across = min(a[2], b[2]) - max(a[0], b[0])
            down = min(a[3], b[3]) - max(a[1], b[1])
            # A box is as high as the font's highest letter with its accent: lines may touch.
            is_apart = across <= 1 or down <= 0.35 * min(a[3] - a[1], b[3] - b[1])
            assert is_apart, f"{text['words']!r} and {other['words']!r} overlap ({font})"


# ------------------------------------------------------------------------- who can use it


def test_accessibility_rules_find_nothing_serious(report: Path, opened: Open) -> None:
    assert _serious(opened(report / "index.html")) == []


def test_words_stand_out_in_the_dark(reference: Path, opened: Open) -> None:
    page = opened(reference / "index.html", scheme="dark")
    assert _serious(page, runOnly={"type": "rule", "values": ["color-contrast"]}) == []


def _serious(page: Page, **options: Any) -> list[str]:
    """What axe-core finds; words in drawings, which are pictures to it, have tests of their own."""
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    options = {"resultTypes": ["violations"], **options}
    found = Axe().run(page, context={"exclude": [["svg *"]]}, options=options)
    return [
        f"{each['id']}: {each['help']}: {node['target']} {node['html'][:120]}"
        for each in found.response["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"][:3]
    ]


def test_every_chart_has_words_in_its_place(report: Path, opened: Open) -> None:
    page = opened(report / "index.html")
    drawings = page.locator("svg")
    assert drawings.count() >= 4
    for drawing in drawings.all():
        assert drawing.get_attribute("role") == "img"
        assert len(drawing.get_attribute("aria-label") or "") > 40
        figure = drawing.locator("xpath=ancestor::figure")
        assert figure.locator("figcaption").inner_text()
    assert page.get_by_role("img").count() == drawings.count()


def test_everything_that_can_be_used_is_reached_by_keyboard_and_seen(
    reference: Path, opened: Open
) -> None:
    page = opened(reference / "index.html")
    usable = page.evaluate(
        """() => [...document.querySelectorAll("a[href], button, summary, input, select, [tabindex='0']")]
          .filter(element => element.checkVisibility()).length"""
    )
    assert usable > 20
    reached = 0
    for _ in range(usable):
        page.keyboard.press("Tab")
        reached += page.evaluate(
            """() => {
              const element = document.activeElement, style = getComputedStyle(element)
              if (element === document.body) return 0
              const box = element.getBoundingClientRect()
              const inSight = box.bottom > 0 && box.top < innerHeight && box.right > 0
              const marked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
              return inSight && marked ? 1 : 0 }"""
        )
    assert reached == usable


def test_contents_lead_to_their_sections_by_keyboard(reference: Path, opened: Open) -> None:
    page = opened(reference / "index.html")
    link = page.locator("nav a").last
    link.focus()
    page.keyboard.press("Enter")
    target = page.locator(link.get_attribute("href") or "")
    assert target.count() == 1
    box = target.bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 900


# ------------------------------------------------------------------------- whose words it shows


@pytest.mark.parametrize(
    "name", [*SCENARIOS.values(), *STACKS.values()], ids=lambda name: name[:12]
)
def test_a_hostile_name_stays_text(hostile: Path, opened: Open, name: str) -> None:
    page = opened(hostile / "index.html")
    assert name in page.locator("main").inner_text()
    assert page.locator("script").count() == page.locator("head script, body > script").count()
    assert page.locator("img").count() == 0
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).display") != "none"


def test_hostile_names_stay_text_in_a_drawing_of_its_own(hostile: Path, opened: Open) -> None:
    for path in sorted((hostile / "charts").glob("*.svg")):
        page = opened(path)
        assert page.locator("text").count() > 5
        assert page.locator("script, img, foreignObject").count() == 0


# ------------------------------------------------------------------------- hiding a stack


def test_a_stack_can_be_hidden_in_a_chart_and_shown_again(swept: Path, opened: Open) -> None:
    page = opened(swept / "index.html")
    curves, other = (
        page.locator(f"figure:has(svg [id^='{name}-'])") for name in ("curves", "tradeoff")
    )
    box = curves.get_by_label("flask-gthread", exact=True)
    own, rest = curves.locator(".of-0"), curves.locator(".of-1")
    assert own.count() > 0 < rest.count()
    box.focus()
    page.keyboard.press("Space")
    assert not any(mark.is_visible() for mark in own.all())
    assert any(mark.is_visible() for mark in rest.all())
    assert any(mark.is_visible() for mark in other.locator(".of-0").all())
    box.check()
    assert any(mark.is_visible() for mark in own.all())
