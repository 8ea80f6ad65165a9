"""Where the requests to services of the reader's own come from: one place for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.models import OwnRequests
from harness.planning.requests.access_log import read_access_log
from harness.planning.requests.har import read_har
from harness.planning.requests.merge import merged, uniquely_named
from harness.planning.requests.openapi import read_openapi
from harness.planning.requests.tables import request_for_path, requests_from_tables


@dataclass(frozen=True, slots=True)
class Sources:
    """What was named on the command line or in a file; each of them may have requests."""

    paths: tuple[str, ...] = ()  # of GET
    tables: tuple[Mapping[str, Any], ...] = ()  # `[[request]]` …
    tables_file: Path | None = None  # … of this file
    har: Path | None = None
    access_log: Path | None = None
    openapi: Path | None = None

    def read(self, *, writes: bool, seed: int) -> OwnRequests:
        """All requests together.

        Args:
            writes: Whether requests that may change state are taken too.
            seed: Decides what is generated from a description.

        Raises:
            BadInput: A file is missing, malformed, or has nothing that could be requested.
        """
        found = [OwnRequests(tuple(map(request_for_path, self.paths)))]
        if self.tables and self.tables_file is not None:
            found.append(requests_from_tables(self.tables_file, self.tables))
        if self.har is not None:
            found.append(read_har(self.har, writes=writes))
        if self.access_log is not None:
            found.append(read_access_log(self.access_log, writes=writes))
        if self.openapi is not None:
            found.append(read_openapi(self.openapi, seed=seed, writes=writes))
        notes = tuple(note for each in found for note in each.notes)
        everything = merged(request for each in found for request in each.requests)
        return OwnRequests(uniquely_named(everything), notes)
