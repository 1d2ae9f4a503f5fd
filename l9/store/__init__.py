"""Bytes at rest: shards found by content, and the index, quarantine and manifest that make them a store."""
