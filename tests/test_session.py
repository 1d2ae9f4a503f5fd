"""The embedded Ray listens behind a token of its own, and is gone afterwards."""

import os
import subprocess
import sys

import pytest

from l9.errors import UsageError
from l9.session import ray_session

SESSION = """
import os
from l9.session import ray_session
with ray_session(None, cpus=1):
    import ray
    print(os.environ["RAY_AUTH_MODE"], len(os.environ["RAY_AUTH_TOKEN"]), ray.get_runtime_context().gcs_address, flush=True)
    address = ray.get_runtime_context().gcs_address
    import subprocess, sys
    stranger = f"import ray; ray.init(address='{address}', log_to_driver=False)"
    bare = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}
    code = subprocess.run([sys.executable, "-c", stranger], env=bare, capture_output=True, timeout=120).returncode
    print("refused" if code else "let in")
print(ray.is_initialized())
"""


def test_a_stranger_without_the_token_is_refused():
    done = subprocess.run([sys.executable, "-c", SESSION], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.split("\n")[:3]
    assert first.split()[:2] == ["token", "64"]
    assert first.split()[2].startswith("127.")
    assert second == "refused"
    assert third == "False"


def test_a_mode_without_a_token_gets_one_of_its_own(tmp_path):
    """RAY_AUTH_MODE=token is what people export for a cluster; the embedded session needs no token of theirs."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    code = "from l9.session import ray_session\nwith ray_session(None, cpus=1):\n    print('up')"
    own = {**bare, "RAY_AUTH_MODE": "token", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=own, capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout.strip() == "up", done.stderr


def test_an_address_where_nobody_answers_is_the_words_fault(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    with pytest.raises(UsageError, match="no Ray cluster answers"), ray_session("nonsense", cpus=1):
        raise AssertionError("the block must not be entered")
