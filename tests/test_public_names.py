"""The public surface: sorted, complete, lazy."""

import subprocess
import sys

import pytest

import l9


def test_public_names_are_sorted_and_there():
    assert list(l9.__all__) == sorted(l9.__all__)
    for name in l9.__all__:
        assert getattr(l9, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no public name 'Nothing'"):
        l9.Nothing  # noqa: B018


def test_importing_l9_imports_nothing_else():
    code = "import sys, l9; print([m for m in ('numpy', 'torch', 'ray', 'yaml', 'pyarrow') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
