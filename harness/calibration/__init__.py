"""Finds out what this machine can tell apart, and what its load process can do."""
