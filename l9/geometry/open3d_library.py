"""Open3D, imported where it is needed, on machines without its system libraries too.

Its wheel is linked against libusb for depth cameras that l9 never opens. Where the system has no libusb, the copy inside the wheel
`libusb-package` is loaded first: the linker then finds that name already there.
"""

import ctypes
import ctypes.util
import functools
import importlib.util
from pathlib import Path
from types import ModuleType

from l9.errors import UsageError


@functools.cache
def open3d() -> ModuleType:
    """The package `open3d`; UsageError names the library that this machine lacks."""
    if ctypes.util.find_library("usb-1.0") is None:
        _load_libusb()
    try:
        import open3d as package
    except (ImportError, OSError) as error:
        raise UsageError(f"Open3D cannot be loaded: {error}; install libgl1 libegl1 libx11-6 libgomp1 (Debian's names)") from error
    return package


def _load_libusb() -> None:
    spec = importlib.util.find_spec("libusb_package")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for library in sorted(Path(folder).glob("libusb-1.0.so*")):
            ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
            return
