"""Runs inside the load process and nowhere else. Importing Locust patches the standard library."""
