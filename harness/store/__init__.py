"""Reads and writes results/, and is the only code that does.

A run's folder holds run.json (what was planned, where, with what), journal.jsonl (a line for each
decision, block and round), samples/*.parquet (or samples.parquet, once thinned), and what can be made
again from these: summary.csv, comparisons.csv, curves.csv and knees.csv, of searches capacity.csv,
capacity-latency.csv and costs.csv, claims.csv, and report/. May import no other folder.
"""

from harness.store.advice import advice_as_json
from harness.store.atomic import replacing
from harness.store.between import between_as_json
from harness.store.calibrations import read_calibration, write_calibration
from harness.store.connections import (
    CONNECTIONS_COLUMNS,
    CONNECTIONS_SCHEMA,
    connection_rows,
    has_connections,
    read_connections,
    write_connection_table,
    write_connections,
)
from harness.store.folders import create_run, find_run, list_runs, remove_run, writing
from harness.store.journal import Journal, count_rounds
from harness.store.overview import glance_rows, newest_of_each, runs_at_a_glance
from harness.store.parity import parity_as_json
from harness.store.parts import PARTS_FOLDER, make_part, parts_within
from harness.store.profiles import (
    PROFILE_COLUMNS,
    PROFILE_SCHEMA,
    PROFILE_STACK_COLUMNS,
    PROFILES_FOLDER,
    forget_profile,
    has_profile,
    is_whole_profile,
    profile_rows,
    profile_stack_rows,
    profiles_within,
    read_profile,
    read_stacks,
    write_profile,
    write_profile_tables,
    write_stacks,
)
from harness.store.recovery import recover
from harness.store.reports import write_file, write_report
from harness.store.run_file import SCHEMA, read_run, schema_of, write_run
from harness.store.samples import (
    SAMPLE_COLUMNS,
    read_samples,
    thin_samples,
    write_samples,
)
from harness.store.tables import (
    CAPACITY_COLUMNS,
    CAPACITY_LATENCY_COLUMNS,
    CLAIM_COLUMNS,
    COMPARISON_COLUMNS,
    COST_COLUMNS,
    CURVE_COLUMNS,
    FAIL_IF_COLUMNS,
    KNEE_COLUMNS,
    MAP_COLUMNS,
    SUMMARY_COLUMNS,
    analysis_as_json,
    claim_rows,
    claims_as_json,
    comparison_rows,
    cost_rows,
    curve_rows,
    fail_if_rows,
    knee_rows,
    map_rows,
    summary_rows,
    write_tables,
)

__all__ = [
    "CAPACITY_COLUMNS",
    "CAPACITY_LATENCY_COLUMNS",
    "CLAIM_COLUMNS",
    "COMPARISON_COLUMNS",
    "CONNECTIONS_COLUMNS",
    "CONNECTIONS_SCHEMA",
    "COST_COLUMNS",
    "CURVE_COLUMNS",
    "FAIL_IF_COLUMNS",
    "KNEE_COLUMNS",
    "MAP_COLUMNS",
    "PARTS_FOLDER",
    "PROFILES_FOLDER",
    "PROFILE_COLUMNS",
    "PROFILE_SCHEMA",
    "PROFILE_STACK_COLUMNS",
    "SAMPLE_COLUMNS",
    "SCHEMA",
    "SUMMARY_COLUMNS",
    "Journal",
    "advice_as_json",
    "analysis_as_json",
    "between_as_json",
    "claim_rows",
    "claims_as_json",
    "comparison_rows",
    "connection_rows",
    "cost_rows",
    "count_rounds",
    "create_run",
    "curve_rows",
    "fail_if_rows",
    "find_run",
    "forget_profile",
    "glance_rows",
    "has_connections",
    "has_profile",
    "is_whole_profile",
    "knee_rows",
    "list_runs",
    "make_part",
    "map_rows",
    "newest_of_each",
    "parity_as_json",
    "parts_within",
    "profile_rows",
    "profile_stack_rows",
    "profiles_within",
    "read_calibration",
    "read_connections",
    "read_profile",
    "read_run",
    "read_samples",
    "read_stacks",
    "recover",
    "remove_run",
    "replacing",
    "runs_at_a_glance",
    "schema_of",
    "summary_rows",
    "thin_samples",
    "write_calibration",
    "write_connection_table",
    "write_connections",
    "write_file",
    "write_profile",
    "write_profile_tables",
    "write_report",
    "write_run",
    "write_samples",
    "write_stacks",
    "write_tables",
    "writing",
]
