"""Runs after the fact: list and find them, evaluate them again, ask them about a file."""
