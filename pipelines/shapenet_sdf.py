"""Signed distance grids and surface points with normals of every ShapeNetCore model: preparation only, no training.

run     l9 prep pipelines/shapenet_sdf.py --root ShapeNetCore.v2          (or --card shapenet_v1 --root ShapeNetCore.v1; first --plan)
takes   not measured: the data is its authors' to give; --plan estimates objects, bytes and hours from 1 % of it
expect  done + quarantined = the models of the synsets that are there: those without an OBJ file are quarantined (`no-model`). l9 has run
        this on small trees of both layouts only. Many models are open sheets: the sign is that of the winding number, inside above 0.5
"""

from l9.config import Pipeline, Prep, Set, Use
from l9.stages import normalise, sdf, surface_points

fields = Prep(Use(normalise, kind="cube"), Use(sdf, resolution=64), Use(surface_points, count=2048))

pipeline = Pipeline(name="shapenet-sdf", sets={"shapenet": Set("shapenet", fields)})
