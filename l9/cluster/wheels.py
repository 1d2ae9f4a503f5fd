"""l9 itself and a person's packages as wheels: what a job brings along, and nothing else of the folders they lie in.

A wheel is a zip with the packages at its root, so Ray's `py_modules` takes its very bytes: unpacked on every node, in front of what is
installed there. Its dependencies are not brought: they are checked when the job starts (l9/cluster/job.py).
"""

import atexit
import importlib.metadata
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from l9.errors import UsageError
from l9.session import PACKAGES

DISTRIBUTION = "l9-vision"
BUILD_SECONDS = 300  # a build backend fetched over a slow line
WHEEL_BYTES = 256 << 20  # Ray holds what is sent in the head's memory; weights and data do not belong into a package


@dataclass(frozen=True)
class Wheel:
    """A wheel's file name and its bytes."""

    name: str
    content: bytes


def own_wheel() -> Wheel:
    """This l9 as a wheel: built from the checkout it runs from, or put together from the files of its installation."""
    distribution = importlib.metadata.distribution(DISTRIBUTION)
    told = json.loads(distribution.read_text("direct_url.json") or "{}")
    if told.get("dir_info", {}).get("editable"):
        return built_wheel(Path(__file__).parent.parent.parent)  # of this very code: the checkout that was installed may be another one
    return _packed(distribution)


def package_wheels(packages: Sequence[Path]) -> list[Wheel]:
    """A wheel for each `--package`: a wheel as it is, or built from a folder with a pyproject.toml."""
    return [built_wheel(path) if path.is_dir() else _read(path) for path in packages]


def bring_packages(packages: Sequence[Path]) -> list[Wheel]:
    """A person's packages as wheels, unpacked and put in front of what is installed: here, in children, and on machines of a joined Ray."""
    wheels = package_wheels(packages)
    if wheels:
        folder = Path(tempfile.mkdtemp(prefix="l9-packages-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        import_from(wheels, folder)
    return wheels


def import_from(wheels: Sequence[Wheel], folder: Path) -> None:
    """Unpack wheels below `folder` and put them in front of what is installed, for this process and its children."""
    for wheel in wheels:
        place = str(folder / wheel.name.removesuffix(".whl"))
        with zipfile.ZipFile(io.BytesIO(wheel.content)) as archive:
            archive.extractall(place)
        sys.path.insert(0, place)
        for variable in ("PYTHONPATH", PACKAGES):
            os.environ[variable] = os.pathsep.join(filter(None, (place, os.environ.get(variable))))


def built_wheel(folder: Path) -> Wheel:
    """The wheel of a project's folder, by pip. UsageError with pip's last words where it cannot be built."""
    if not (folder / "pyproject.toml").is_file() and not (folder / "setup.py").is_file():
        raise UsageError(f"--package {folder}: no pyproject.toml there; expected the folder of an installable package, or a .whl file")
    with tempfile.TemporaryDirectory(prefix="l9-wheel-") as place:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--wheel-dir", place]
        command += ["--no-build-isolation"] if _builds_with_what_is_here(folder) else []
        try:
            done = subprocess.run([*command, str(folder.resolve())], capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise UsageError(f"--package {folder}: not built in {BUILD_SECONDS} s; try: python -m pip wheel --no-deps {folder}") from error
        wheels = sorted(Path(place).glob("*.whl"))
        if done.returncode or not wheels:
            last = next((line.strip() for line in reversed(done.stderr.splitlines()) if line.strip()), "no wheel came out")
            raise UsageError(f"--package {folder}: cannot be built ({last}); try: python -m pip wheel --no-deps {folder}")
        return _read(wheels[0])


def _builds_with_what_is_here(folder: Path) -> bool:
    """Whether the build backend is installed: then nothing is fetched to build with."""
    import importlib.util
    import tomllib

    try:
        about = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("build-system", {})
    except (OSError, ValueError):
        return False
    backend = str(about.get("build-backend", "setuptools.build_meta")).partition(".")[0].partition(":")[0]
    return "backend-path" not in about and importlib.util.find_spec(backend) is not None


def _read(path: Path) -> Wheel:
    """A wheel file, checked: a zip that holds a package and its metadata."""
    try:
        if path.suffix != ".whl" or path.stat().st_size > WHEEL_BYTES:
            raise UsageError(f"--package {path}: expected a folder or a .whl file of at most {WHEEL_BYTES >> 20} MiB")
        content = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"--package {path}: cannot be read ({error}); expected a folder or a .whl file") from error
    if not any(name.endswith(".dist-info/METADATA") for name in names) or any(".data/" in name for name in names):
        raise UsageError(f"--package {path}: expected a wheel of Python packages alone (METADATA, no .data folder)")
    return Wheel(path.name, content)


def _packed(distribution: importlib.metadata.Distribution) -> Wheel:
    """The files of an installed distribution as a wheel; one content, one sequence of bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(distribution.files or (), key=str):
            path = Path(str(distribution.locate_file(file)))
            if ".." not in file.parts and "__pycache__" not in file.parts and file.name not in ("RECORD", "INSTALLER", "REQUESTED"):
                about = zipfile.ZipInfo(str(file), (1980, 1, 1, 0, 0, 0))
                about.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(about, path.read_bytes())
    return Wheel(f"{DISTRIBUTION.replace('-', '_')}-{distribution.version}-py3-none-any.whl", packed.getvalue())
