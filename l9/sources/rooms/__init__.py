"""Furnished rooms that l9 composes of the furniture set and scans by ray casting: an open stand-in for ScanNet, in its own format."""
