"""Polygons with hollow corners into triangles: ears are cut off one after the other.

An ear is a corner whose triangle with both of its neighbours lies inside of the polygon and holds no other corner.
source  Meisters, Polygons have ears, American Mathematical Monthly 82, 1975
"""

CORNER = 20  # what looking at one corner costs, beside 1 for each corner that it is compared with: about 0.2 us is 1
FLAT = 1e-12  # of the square of a polygon's size: corners on one line in a tilted plane are off it by 1e-16 of the size and more


class _Ring:
    """What is left of a polygon that turns left, in a plane.

    before, behind  the neighbours of each corner that is left
    flat            twice the area that a triangle has by rounding alone
    reflex          the corners that turn right or not at all: no ears, and only they can lie inside of one
    spikes          corners that may have become spikes
    """

    def __init__(self, x: list[float], y: list[float]) -> None:
        count = len(x)
        self.x, self.y, self.left = x, y, count
        self.before, self.behind = [count - 1, *range(count - 1)], [*range(1, count), 0]
        size = max(map(abs, (*x, *y)))
        self.flat = FLAT * size * size  # ** would raise where it is too large
        self.reflex = {corner for corner in range(count) if not self.turn(corner) > self.flat}
        self.spikes = [corner for corner in range(count - 1, -1, -1) if self.is_spike(corner)]

    def turn(self, corner: int) -> float:
        """Twice the area of a corner's triangle, below 0 where it turns right."""
        x, y, a, c = self.x, self.y, self.before[corner], self.behind[corner]
        return (x[corner] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[corner] - y[a])

    def is_spike(self, corner: int) -> bool:
        """Whether the ring runs to it and back on one line, or stands still there: it can be cut off without any harm."""
        x, y, a, c = self.x, self.y, self.before[corner], self.behind[corner]
        onward = (x[corner] - x[a]) * (x[c] - x[corner]) + (y[corner] - y[a]) * (y[c] - y[corner])
        return onward <= 0 and abs(self.turn(corner)) <= self.flat

    def spike(self) -> int | None:
        """A corner that is one."""
        while self.spikes:
            corner = self.spikes.pop()
            if self.before[self.behind[corner]] == corner and self.is_spike(corner):  # it is still there, and still one
                return corner
        return None

    def is_ear(self, corner: int) -> bool:
        """Whether its triangle, edges included, holds no other corner; one in the same place as its own corners is not held.

        Polygons with holes come as one ring that walks along a bridge to the hole and back: the bridge's ends are there twice.
        """
        if corner in self.reflex:
            return False
        a, c, least = self.before[corner], self.behind[corner], -self.flat
        (ax, ay), (bx, by), (cx, cy) = own = [(self.x[one], self.y[one]) for one in (a, corner, c)]
        for other in self.reflex:
            x, y = self.x[other], self.y[other]
            if (
                (ax - cx) * (y - cy) - (x - cx) * (ay - cy) >= least
                and (bx - ax) * (y - ay) - (x - ax) * (by - ay) >= least
                and (cx - bx) * (y - by) - (x - bx) * (cy - by) >= least
                and (x, y) not in own
            ):
                return False
        return True

    def cut(self, corner: int) -> tuple[int, int, int]:
        """Take a corner away; its triangle."""
        a, c = self.before[corner], self.behind[corner]
        self.behind[a], self.before[c] = c, a
        self.left -= 1
        self.reflex.discard(corner)
        for neighbour in (c, a):
            if self.turn(neighbour) > self.flat:
                self.reflex.discard(neighbour)
            else:
                self.reflex.add(neighbour)
                if self.is_spike(neighbour):
                    self.spikes.append(neighbour)
        return a, corner, c


def cut_ears(x: list[float], y: list[float], budget: int) -> tuple[list[tuple[int, int, int]], int]:
    """A polygon of n corners that turns left as n - 2 triangles of corner numbers, and what that took of `budget`.

    Spikes go first: what is left where a ring walks along a line and back would hide behind corners in the same place. A ring without any
    ear (all on one line, or one that crosses itself) loses any corner. If the ring does not cross itself and no triangle turns right, the
    triangles are exactly the polygon: they cover a point as often as the ring goes around it. Always the same for the same numbers.
    budget  in comparisons of two corners, see CORNER; [] and all of it where it is too small
    """
    ring, spent = _Ring(x, y), CORNER * len(x)
    triangles: list[tuple[int, int, int]] = []
    corner, passed = 0, 0
    while ring.left > 2:
        spent += CORNER + (0 if corner in ring.reflex else len(ring.reflex))
        if spent > budget:
            return [], budget
        spike = ring.spike()
        if spike is not None:
            corner = spike
        elif passed < ring.left and not ring.is_ear(corner):
            corner, passed = ring.behind[corner], passed + 1
            continue
        triangles.append(ring.cut(corner))
        corner, passed = ring.behind[triangles[-1][2]], 0  # not its neighbour at once: slivers would pile up around one corner
    return triangles, spent
