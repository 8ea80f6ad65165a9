"""The twins' code, side by side."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of one twin."""

    twin: str
    path: str  # within the project
    text: str


@dataclass(frozen=True, slots=True)
class CodePart:
    """A feature, or what several features share, with the files of each twin."""

    name: str  # "users"
    endpoints: tuple[str, ...]  # that it answers; none of what is shared
    files: tuple[SourceFile, ...]

    def of(self, twin: str) -> tuple[SourceFile, ...]:
        """The files of one twin."""
        return tuple(file for file in self.files if file.twin == twin)
