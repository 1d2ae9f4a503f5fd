"""Change: bring a mesh or a cloud into the box in which grids are made."""

from typing import Literal, get_args

from l9.geometry.cloud import PointCloud
from l9.geometry.mesh import Mesh
from l9.geometry.normalise import normalise_cube, normalise_sphere
from l9.stages.contract import changes
from l9.stages.limits import check_word

Kind = Literal["cube", "sphere"]


@changes(version=1)
def normalise(shape: Mesh | PointCloud, kind: Kind = "cube") -> Mesh | PointCloud:
    """The mesh or cloud moved and scaled, never turned.

    kind  "cube": bounding box centred, longest side 1.8 inside [-1, 1]^3; "sphere": box centre at 0, farthest vertex at 1
    """
    check_word("normalise", "kind", kind, get_args(Kind))
    fit = normalise_cube if kind == "cube" else normalise_sphere
    if isinstance(shape, PointCloud):
        return shape.moved(fit(shape.points, None))
    return shape.moved(fit(shape.vertices, shape.faces))
