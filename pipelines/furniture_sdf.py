"""Signed distance grids, surface points with normals and views of every furniture model: preparation only, no training.

run     l9 prep pipelines/furniture_sdf.py            (or --card folder --root DIR for meshes of your own)
takes   3.5 minutes on 2 CPU cores the first time, one of them for compiling; 620 MB of shards
expect  911 objects done, none quarantined; 19 of them have no inside and are unsigned; doubt above 0.05 for 5 % (l9 0.1.0)
"""

from l9.config import Pipeline, Prep, Set, Use
from l9.stages import normalise, sdf, surface_points, views

fields = Prep(Use(normalise, kind="cube"), Use(sdf, resolution=64), Use(surface_points, count=2048), Use(views, size=96))

pipeline = Pipeline(name="furniture-sdf", sets={"furniture": Set("furniture", fields)})
