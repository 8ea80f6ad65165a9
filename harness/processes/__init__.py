"""Starts, watches, pins, meters and stops processes, whatever they are.

May import no other folder.
"""
