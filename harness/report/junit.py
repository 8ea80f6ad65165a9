"""Promises as JUnit XML, which pipelines show as tests: a case for each condition and candidate.

A measurement that is invalid has a case of its own, since it fails the run whatever was promised.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from harness.models import (
    Analysis,
    BlockKey,
    CellSummary,
    FailIfJudged,
    FailOutcome,
    Inconclusive,
)
from harness.report import formats
from harness.report.words import promises as words

#: What XML 1.0 has no form for: a reply's bytes may stand in the reason.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(analysis: Analysis, inconclusive: Inconclusive) -> bytes:
    """The whole file.

    Broken promises are failures. Inconclusive ones are failures or skipped, as the user wants it.
    Times are the seconds that a scenario was measured for, shared among its cases.

    Args:
        analysis: Of the run, with its promises.
        inconclusive: What an inconclusive promise comes to.
    """
    found = [
        (BlockKey(each.scenario, each.load), _promise(each, inconclusive))
        for each in analysis.fail_ifs
    ]
    found += [(cell.key.block, _invalid(cell)) for cell in analysis.cells if not cell.valid]
    took_s, sharing = _seconds_by_block(analysis), Counter(key for key, _ in found)
    cases = [(case, took_s.get(key, 0.0) / sharing[key]) for key, case in found]
    counts = {
        "tests": str(len(cases)),
        "failures": _count(cases, "failure"),
        "errors": _count(cases, "error"),
        "time": f"{sum(seconds for _, seconds in cases):.3f}",
    }
    suites = ET.Element("testsuites", {"name": "twinbench", **counts})
    suite = ET.SubElement(
        suites,
        "testsuite",
        {
            "name": _text(f"twinbench {analysis.run.run_id}"),
            **counts,
            "skipped": _count(cases, "skipped"),
            "timestamp": analysis.run.started[:19],  # without its zone, as the format wants it
        },
    )
    for case, seconds in cases:
        case.set("time", f"{seconds:.3f}")
        suite.append(case)
    ET.indent(suites)
    written: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _promise(judged: FailIfJudged, inconclusive: Inconclusive) -> ET.Element:
    key = BlockKey(judged.scenario, judged.load)
    case = _case(key, f"{judged.condition.text}: {words.beside_words(judged)}")
    said = _text(words.sentence(judged))
    if judged.outcome is FailOutcome.KEPT:
        ET.SubElement(case, "system-out").text = said
    elif judged.outcome is FailOutcome.BROKEN or inconclusive is Inconclusive.FAIL:
        failure = ET.SubElement(case, "failure", {"message": said, "type": str(judged.outcome)})
        failure.text = said
    else:
        ET.SubElement(case, "skipped", {"message": said})
    return case


def _invalid(cell: CellSummary) -> ET.Element:
    case = _case(cell.key.block, f"valid: {cell.stack}")
    said = _text(f"invalid: {cell.key}: {formats.clean(cell.reason)}")
    ET.SubElement(case, "error", {"message": said, "type": "invalid"}).text = said
    return case


def _case(key: BlockKey, name: str) -> ET.Element:
    # Programs that show such files take what stands before a dot for a folder.
    return ET.Element("testcase", {"classname": _text(f"twinbench.{key}"), "name": _text(name)})


def _count(cases: Sequence[tuple[ET.Element, float]], what: str) -> str:
    return str(sum(case.find(what) is not None for case, _ in cases))


def _seconds_by_block(analysis: Analysis) -> dict[BlockKey, float]:
    took_s: dict[BlockKey, float] = {}
    for usage in (usage for finished in analysis.run.rounds for usage in finished.blocks):
        took_s[usage.key] = took_s.get(usage.key, 0.0) + usage.took_s
    return took_s


def _text(words_of_it: str) -> str:
    return _NOT_XML.sub("�", words_of_it.replace(formats.NBSP, " "))
