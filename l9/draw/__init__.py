"""Pictures for people, composed from arrays: grids of samples, lines of tiles, confusion matrices, splatted voxels and points.

Every picture is RGB uint8 (height, width, 3), row 0 on top, made without a display. Rendering of meshes is `geometry/views`;
`portrait` alone reads an object, in the sandbox.
"""
