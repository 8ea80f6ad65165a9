"""Compares replies: of each stack with what the contract promises, and of all stacks with each other.

Services of the reader's own are compared with each other too: `replay` and what it uses.

May import the contract of the apps, and no other folder of the harness.
"""
