"""Compares replies: with what the contract promises, and of all stacks with each other."""
