"""Finds out what this machine can tell apart, and what its load process can do.

May import what measures and what analyses; nothing but `cli` imports it.
"""
