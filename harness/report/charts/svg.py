"""A sheet as SVG: texts stay text, and colours follow the reader's light or dark scheme.

matplotlib writes each colour and font into a `style` of its own, which no style sheet can replace.
Here they become presentation attributes, which one can: in the dark scheme each colour gives way to
its counterpart on dark paper. A program that knows no style sheets draws the light colours.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET

from harness.report.charts.sheet import (
    HEADING,
    MARGIN_IN,
    WIDTH_IN,
    Sheet,
    drawn_alike,
)
from harness.report.dark import on_dark
from harness.report.palette import PAPER

#: The font that widths were measured with, and fonts that are about as wide where it is missing.
#: Most others are narrower, so that texts that fit in this one fit in them.
FONTS = "'DejaVu Sans', Verdana, 'Bitstream Vera Sans', sans-serif"

_OVERHANG_IN = 0.2  # how far a tick's label may stand out to the right of its axes
_LEFT_OVERHANG_IN = 0.06  # and to the left of the margin
_CLASS = "drawing"
OWNED = "of-"
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_UPRIGHT = re.compile(r"rotate\(-?0 ")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
#: Of a drawing that is a document of its own.
_ALONE = (
    f":root{{color-scheme:light dark;background:{PAPER}}}"
    f"@media screen and (prefers-color-scheme:dark){{:root{{background:{on_dark(PAPER)}}}}}"
)


def svgs(sheet: Sheet, name: str, alt: str) -> tuple[str, str]:
    """The sheet as an SVG element: whole, and without heading for a page that shows its own.

    The whole one has a background of its own, since it may be opened alone or shown by a page whose
    scheme is not the reader's. The other one stands on the page's.

    Args:
        sheet: what to write.
        name: stands before every id, so that several charts can share a page.
        alt: the chart in words, for those who can't see it.
    """
    root = _written(sheet, name)
    stacks = stacks_of(sheet)
    for group in root.iter(_tag("g")):
        name_of_group = group.get("id", "")
        if words := sheet.hints.get(name_of_group):
            _hint(group, words)
        if owner := sheet.owners.get(name_of_group):
            group.set("class", f"{OWNED}{stacks.index(owner)}")
    for mark in root.iterfind(f".//{_tag('defs')}/{_tag('path')}"):
        # Each use repeats it, and style sheets don't reach into what is used.
        mark.attrib.pop("style", None)
    for element in root.iter():
        element.tail = None
        if element.text and not element.text.strip():
            element.text = None
        _take_style_apart(element)
        _prefix_ids(element, f"{name}-")
    root.attrib.update(
        {
            "class": _CLASS,
            "role": "img",
            "aria-label": alt,
            "font-family": FONTS,
            "stroke-linejoin": "round",
            _SPACE: "preserve",
        }
    )
    rules = ET.Element(_tag("style"))
    root.insert(0, rules)
    in_the_dark = _in_the_dark(root)
    rules.text = _ALONE + in_the_dark
    whole = ET.tostring(root, encoding="unicode")
    rules.text = in_the_dark
    _cut_heading(root, sheet, f"{name}-{HEADING}")
    return whole, ET.tostring(root, encoding="unicode")


def stacks_of(sheet: Sheet) -> tuple[str, ...]:
    """The stacks that a reader may hide; what belongs to the nth has the class OWNED with n."""
    return tuple(dict.fromkeys(sheet.owners.values()))


def _tag(name: str) -> str:
    return f"{{{_SVG}}}{name}"


def _written(sheet: Sheet, name: str) -> ET.Element:
    """The sheet as matplotlib writes it, without comments, document type and style sheet."""
    buffer = io.BytesIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with drawn_alike({"svg.hashsalt": name}):
        sheet.savefig(buffer, format="svg", metadata=nothing, facecolor="none")
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    root = ET.fromstring(buffer.getvalue())
    for parent in root.iter():
        for child in list(parent):
            # It would apply to the whole page, and before presentation attributes.
            if child.tag == _tag("style"):
                parent.remove(child)
    return root


def _hint(group: ET.Element, words: tuple[str, ...]) -> None:
    """What a browser shows over each mark of a line; nothing where some marks are out of sight."""
    marks = list(group.iter(_tag("use")))
    if len(marks) == len(words):
        for mark, said in zip(marks, words, strict=True):
            ET.SubElement(mark, _tag("title")).text = said


def _take_style_apart(element: ET.Element) -> None:
    """Presentation attributes in place of `style`, and nothing that says what is so anyway."""
    for declaration in element.attrib.pop("style", "").split(";"):
        key, _, value = declaration.partition(":")
        if value and key.strip() != "font-family":  # the root's, for all
            element.set(key.strip(), value.strip())
    if "d" in element.attrib:
        element.set("d", " ".join(element.attrib["d"].split()))
    if element.get("text-anchor") == "start":
        del element.attrib["text-anchor"]
    if _UPRIGHT.match(element.get("transform", "")):
        del element.attrib["transform"]


def _in_the_dark(root: ET.Element) -> str:
    """The rules of the dark scheme for the colours that the drawing has; not for print."""
    rules = [
        f'.{_CLASS} [{key}="{colour}"]{{{key}:{on_dark(colour)}}}'
        for key in ("fill", "stroke")
        for colour in sorted({element.get(key, "") for element in root.iter()})
        if _COLOUR.fullmatch(colour) and on_dark(colour) != colour
    ]
    return f"@media screen and (prefers-color-scheme:dark){{{''.join(rules)}}}"


def _cut_heading(root: ET.Element, sheet: Sheet, prefix: str) -> None:
    for group in root.iter(_tag("g")):
        if group.get("id", "").startswith(prefix):
            group.clear()
    left, top = MARGIN_IN - _LEFT_OVERHANG_IN, sheet.heading_in
    width = WIDTH_IN - left - MARGIN_IN + _OVERHANG_IN
    height = sheet.height_in - top - MARGIN_IN + 0.05
    root.set("viewBox", " ".join(f"{72 * edge:g}" for edge in (left, top, width, height)))
    root.set("width", f"{72 * width:g}pt")
    root.set("height", f"{72 * height:g}pt")


def _prefix_ids(element: ET.Element, prefix: str) -> None:
    for key, value in element.attrib.items():
        if key == "id":
            element.set(key, prefix + value)
        elif key == f"{{{_XLINK}}}href" and value.startswith("#"):
            element.set(key, f"#{prefix}{value[1:]}")
        elif "url(#" in value:
            element.set(key, value.replace("url(#", f"url(#{prefix}"))
