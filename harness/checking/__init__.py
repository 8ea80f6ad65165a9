"""Compares replies: of each stack with what the contract promises, and of all stacks with each other.

May import the contract of the apps, and no other folder of the harness.
"""
