"""Runs inside the load process and nowhere else. Importing Locust patches the standard library.

May import `channel`, `checking` and `processes`. Of this folder, `measuring` imports what needs no
Locust.
"""
