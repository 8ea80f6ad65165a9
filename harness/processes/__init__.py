"""Starts, watches, pins, meters and stops processes, whatever they are."""
