"""Carries orders to members and their answers back.

A member is a process that plays slices: a load process, or a process with a test client. Both ends
import this folder; it knows the messages and how they travel, and not what is measured. It may
import `processes`.
"""
