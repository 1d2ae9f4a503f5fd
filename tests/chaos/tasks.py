"""The toy classifier of tests/toys.py, coming by a point (chaos.barrier) at every step."""

from pathlib import Path

from chaos.barrier import pass_by
from toys import Label

from l9.tasks.contract import Turn


class Paced(Label):
    """`Label`, with the points `step-0`, `step-1`, ... in the folder `control`."""

    def __init__(self, classes: tuple[str, ...], control: str) -> None:
        super().__init__(classes)
        self.control = Path(control)

    def turns(self, step: int) -> list[Turn]:
        """One turn, as ever; but first come by the point."""
        pass_by(self.control, f"step-{step}")
        return super().turns(step)
