"""Bounded parsers, one format or dataset each: bytes to Mesh or PointCloud."""
