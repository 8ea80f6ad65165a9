"""Turns what a team has into requests: TOML tables, a HAR, an access log, an OpenAPI document.

A reader reads its file and does nothing else. Like all of planning, this folder imports nothing of
harness beside models and errors.
"""

from __future__ import annotations

from harness.models.credentials import is_credential_name
from harness.planning.requests.access_log import read_access_log
from harness.planning.requests.credentials import (
    is_credential_header,
    refuse_credentials_in_url,
    refuse_literal_credentials,
)
from harness.planning.requests.har import read_har
from harness.planning.requests.openapi import read_openapi
from harness.planning.requests.openapi_document import operations_of, read_document
from harness.planning.requests.tables import request_for_path, requests_from_tables
from harness.planning.requests.variables import (
    expand,
    expand_request,
    redacted,
    secrets_in,
    texts_of,
    variables_in,
)

__all__ = [
    "expand",
    "expand_request",
    "is_credential_header",
    "is_credential_name",
    "operations_of",
    "read_access_log",
    "read_document",
    "read_har",
    "read_openapi",
    "redacted",
    "refuse_credentials_in_url",
    "refuse_literal_credentials",
    "request_for_path",
    "requests_from_tables",
    "secrets_in",
    "texts_of",
    "variables_in",
]
