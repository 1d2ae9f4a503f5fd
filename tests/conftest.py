"""Every test runs with shapes and types executed: jaxtyping + beartype over the rooms of arrays, but for the compiled kernels."""

from pathlib import Path

import jaxtyping
import pytest
from xdist.scheduler import LoadFileScheduling

WITH_HEAD = ("test_cluster.py", "test_doctor.py", "test_secrets.py")  # whose tests take the fixture `head`
CHECKED = ("geometry", "stages", "data", "draw")
PACKAGE = Path(__file__).parent.parent / "l9"


def _modules() -> list[str]:
    """Named from the files, so that nothing is imported before the hook is there."""
    files = [path for room in CHECKED for path in sorted((PACKAGE / room).glob("*.py")) if not path.stem.endswith("_kernels")]
    return [f"l9.{path.parent.name}.{path.stem}" for path in files if path.stem != "__init__"]


jaxtyping.install_import_hook(_modules(), "beartype.beartype")


class WholeFiles(LoadFileScheduling):
    """Two processes run the suite, each a file at a time; all files that send jobs to the one Ray head are in one of them."""

    def _split_scope(self, nodeid):
        path = super()._split_scope(nodeid)
        return "head" if path.removeprefix("tests/") in WITH_HEAD else path


def pytest_xdist_make_scheduler(config, log):
    return WholeFiles(config, log)


@pytest.fixture
def one_thread():
    """Networks this small only wait for a second thread where cores are shared."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def head():
    """One Ray head for all tests that send jobs: it takes 10 s to start, and its first job compiles for half a minute."""
    from ray_head import MLFLOW_PASSWORD, ray_head

    with ray_head(cpus=2, MLFLOW_TRACKING_USERNAME="me", MLFLOW_TRACKING_PASSWORD=MLFLOW_PASSWORD) as started:
        yield started


@pytest.fixture
def home(tmp_path):
    """An empty l9 home."""
    return tmp_path / "home"
