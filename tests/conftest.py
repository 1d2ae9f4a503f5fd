"""Every test runs with shapes and types executed: jaxtyping + beartype over all of l9 but the compiled kernels."""

import pkgutil

import jaxtyping
import pytest

import l9

CHECKED = ("l9.geometry.", "l9.stages.", "l9.data.", "l9.draw.")


def _modules() -> list[str]:
    names = [module.name for module in pkgutil.walk_packages(l9.__path__, "l9.", onerror=lambda _: None)]
    return [name for name in names if not name.endswith("_kernels") and name.startswith(CHECKED)]


jaxtyping.install_import_hook(_modules(), "beartype.beartype")


@pytest.fixture
def home(tmp_path):
    """An empty l9 home."""
    return tmp_path / "home"
