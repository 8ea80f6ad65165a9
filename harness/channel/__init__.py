"""Carries orders to load processes and their answers back.

Both ends import this folder; it knows messages and how they travel, and not what is measured.
"""
