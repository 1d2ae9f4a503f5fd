"""Runs after the fact: list, find, compare, evaluate them again, ask them about a file; and which stores they stand on."""
