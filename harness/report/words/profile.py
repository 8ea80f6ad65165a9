"""What is said of sampled CPU time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.analysis.libraries import name_of, short_place
from harness.analysis.profiles import covered
from harness.models import Flame, Group, ProfileAnalysis, StackProfile
from harness.report import formats

#: Group -> what belongs to it, for those who read the table.
CONTENTS: Mapping[Group, str] = {
    Group.SERVER: "gunicorn, uvicorn, granian; event loops, greenlets, and compiled code that they call",
    Group.FRAMEWORK: "flask, werkzeug, jinja2; fastapi, starlette",
    Group.VALIDATION: "pydantic, email-validator; the twins' own checks of input",
    Group.SERIALISATION: "JSON in and out, by whichever library",
    Group.CLIENT: "requests, urllib3, httpx, aiohttp",
    Group.DATABASE: "sqlalchemy, psycopg, asyncpg",
    Group.OWN: "the twins' handlers",
    Group.STDLIB: "where no library called it, such as idle threads that are woken",
    Group.REST: "libraries that the table does not name, without a caller that it does",
}
NOT_A_MEASUREMENT = (
    "A profile is not a measurement of speed: a server takes its samples itself, which takes time. Compare speeds "
    "by a run ('twinbench run')."
)


def title(analysis: ProfileAnalysis) -> str:
    """As in `Where the CPU time goes: hello`."""
    return f"Where the CPU time goes: {analysis.record.plan.block.scenario.name}"


def flame_title(flame: Flame) -> str:
    """As in `Flame graph of flask-gthread`."""
    return f"Flame graph of {flame.stack}"


def flame_reading(flame: Flame) -> str:
    """How the graph is read, and what is not drawn."""
    folded = ""
    if flame.folded:
        first, last = (
            f"{name_of(frame)} ({short_place(frame)})"
            for frame in (flame.folded[0], flame.folded[-1])
        )
        between = f" from {first} to {last}" if len(flame.folded) > 1 else f", {first},"
        folded = (
            f" {formats.plural(len(flame.folded), 'outermost function')}{between} "
            f"{'are' if len(flame.folded) > 1 else 'is'} left out: nearly all samples share "
            f"{'them' if len(flame.folded) > 1 else 'it'}."
        )
    return (
        f"{formats.plural(flame.samples, 'sample')}. A box is a function, and what it called stands below "
        "it; its width is its share of the samples, and its colour the group that its own time is put "
        f"down to. Names are shown on hover.{folded}"
    )


def flame_alt(flame: Flame) -> str:
    """The graph in words: the widest functions by their own time."""
    own = sorted(flame.frames, key=lambda frame: -frame.own)[:5]
    said = "; ".join(
        f"{name_of(frame.name)} in {short_place(frame.name)} "
        f"{formats.percent(frame.own / flame.samples)}"
        for frame in own
        if frame.own
    )
    return f"Flame graph of {flame.stack}. Most time of their own: {said or 'none'}."


def cautions(analysis: ProfileAnalysis) -> Iterator[str]:
    """What has to be known of these samples."""
    for profile in analysis.stacks:
        if profile.cut_short:
            yield (
                f"{profile.stack}: in {profile.cut_short} of {formats.plural(profile.rounds, 'round')} the "
                "sampler ended a process, as it can before Python 3.13. Samples until then count."
            )
        if covered(profile) < 1:
            yield (
                f"{profile.stack}: the samples cover about {formats.percent(profile.seen)} of its CPU "
                "time. The rest was used by threads that never run Python, or between two ticks of the kernel's "
                "clock, as where other programs run on the core too."
            )


def slowed(profile: StackProfile) -> str:
    """How much slower a stack was under the sampler, as in `0.84 ×`."""
    return formats.ratio(profile.speed_under_sampler)
