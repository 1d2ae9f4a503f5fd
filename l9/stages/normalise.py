"""Change: bring a mesh into the box in which grids are made."""

from typing import Literal, get_args

from l9.geometry.mesh import Mesh
from l9.geometry.normalise import normalise_cube, normalise_sphere
from l9.stages.contract import changes
from l9.stages.limits import check_word

Kind = Literal["cube", "sphere"]


@changes(version=1)
def normalise(mesh: Mesh, kind: Kind = "cube") -> Mesh:
    """The mesh moved and scaled, never turned.

    kind  "cube": bounding box centred, longest side 1.8 inside [-1, 1]^3; "sphere": box centre at 0, farthest vertex at 1
    """
    check_word("normalise", "kind", kind, get_args(Kind))
    fit = normalise_cube if kind == "cube" else normalise_sphere
    return mesh.moved(fit(mesh.vertices, mesh.faces))
