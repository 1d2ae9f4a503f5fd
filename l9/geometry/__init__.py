"""Pure functions on arrays: meshes into grids, points, distances and pictures. No files, no Ray, no torch."""
