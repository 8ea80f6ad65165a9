"""Where the project keeps the files that plans are made from."""

from pathlib import Path

#: The folder that holds apps, scenarios and harness.
PROJECT = Path(__file__).resolve().parent.parent.parent
STACKS_FILE = PROJECT / "apps" / "stacks.toml"
LADDER_FILE = PROJECT / "apps" / "ladder.toml"
CLAIMS_FILE = PROJECT / "apps" / "claims.toml"
PUBLISHED_FILE = PROJECT / "apps" / "published.toml"
SCENARIOS_FOLDER = PROJECT / "scenarios"
