"""Signed distance grids, surface points with normals and views of every furniture model: preparation only, no training.

run     l9 prep pipelines/furniture_sdf.py            (or --card folder --root DIR for meshes of your own)
takes   10 minutes on 2 CPU cores that had other work too; 630 MB of shards (seen before distances were made anew)
expect  911 objects done, none quarantined (l9 0.1.0)
"""

from l9.config import Pipeline, Prep, Set, Use
from l9.stages import normalise, sdf, surface_points, views

fields = Prep(Use(normalise, kind="cube"), Use(sdf, resolution=64), Use(surface_points, count=2048), Use(views, size=96))

pipeline = Pipeline(name="furniture-sdf", sets={"furniture": Set("furniture", fields)})
