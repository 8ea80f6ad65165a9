"""Starts targets, which are loaded, and the services that they depend on."""
