"""Starts the targets that are loaded and the services that they depend on."""
