"""cluster.yaml and deploy/cluster-local.yaml: accepted by Ray, shut to strangers, and each property missed when it is taken away.

The commands are run by bash with a stand-in for `ray` that notes what it was called with; the words it was given go to Ray's own parser.
"""

import copy
import os
import re
import stat
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from ray._raylet import Config
from ray.autoscaler._private.aws.config import _create_default_inbound_rules
from ray.autoscaler._private.command_runner import _with_environment_variables
from ray.autoscaler._private.util import prepare_config, validate_config, with_head_node_ip
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
from ray.autoscaler.v2.utils import ResourceRequestUtil
from ray.scripts.scripts import start

ROOT = Path(__file__).parent.parent
FILES = {"aws": ROOT / "cluster.yaml", "local": ROOT / "deploy" / "cluster-local.yaml"}
OPEN3D = "libgl1 libegl1 libx11-6 libusb-1.0-0 libgomp1"
SECRETS = (
    r"\b[0-9a-f]{32,}\b",
    r"\bAKIA[0-9A-Z]{16}\b",
    r"PRIVATE KEY",
    r"RAY_AUTH_TOKEN\s*[=:]",
    r"(?i)(password|secret_?key)\s*[=:]",
    r"\b[A-Za-z0-9+/]{40,}={0,2}\b",
)
HEAD_IP = "10.1.2.3"


class Called(NamedTuple):
    """A program of the node's l9-env, and what it was called with."""

    words: list[str]
    env: dict


class Started(NamedTuple):
    """What `ray start` was called with."""

    words: dict  # as Ray's command line understands them
    env: dict


def _config(name: str) -> dict:
    return yaml.safe_load(FILES[name].read_text(encoding="utf-8"))


def _prepared(config: dict) -> dict:
    prepared = prepare_config(copy.deepcopy(config))
    validate_config(prepared)
    return prepared


def _run(command: str, home: Path, *, mounted: bool = True, token: bool = True, node: dict | None = None) -> list[Called]:
    """One command of the file, run as Ray's updater runs it on a node with this home folder; every call it made of the node's l9-env."""
    seen = home / "seen"
    seen.unlink(missing_ok=True)
    noted = f"{{ printf '%s\\0' \"${{0##*/}}\" \"$@\"; printf '=env=\\0'; env -0; printf '=end=\\0'; }} >> {seen}"
    for path, text in {
        home / "l9-env" / "bin" / "ray": noted,
        home / "l9-env" / "bin" / "python": noted,
        home / "bin" / "ray": "exit 1",  # none but the node's own; a real `ray stop` would end what others run here
        home / "bin" / "mountpoint": f'[ "$2" = /mnt/l9 ] && exit {0 if mounted else 1}; exit 2',
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
    (home / ".ray").mkdir(exist_ok=True)
    (home / ".ray" / "auth_token").write_text("x" if token else "", encoding="utf-8")
    (whole,) = with_head_node_ip([command], HEAD_IP)
    if node:
        whole = _with_environment_variables(whole, node)
    bare = {"HOME": str(home), "PATH": f"{home / 'bin'}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", f"({whole})"], env=bare, capture_output=True, timeout=60, check=False)
    calls = [call.split("=env=\0") for call in seen.read_text().split("=end=\0")[:-1]] if seen.exists() else []
    return [Called(words.split("\0")[:-1], dict(pair.split("=", 1) for pair in env.split("\0")[:-1])) for words, env in calls]


def _starts(config: dict, kind: str, home: Path, **where) -> list[Started]:
    calls = [call for command in config[f"{kind}_start_ray_commands"] for call in _run(command, home, **where)]
    assert all(call.words[:2] in (["ray", "stop"], ["ray", "start"]) for call in calls)
    return [Started(start.make_context("start", call.words[2:]).params, call.env) for call in calls if call.words[1] == "start"]


def _started(config: dict, kind: str, home: Path, **where) -> Started:
    calls = _starts(config, kind, home, **where)
    assert len(calls) == 1, f"{kind}: {len(calls)} calls of `ray start`"
    return calls[0]


def _token(config: dict, home: Path) -> None:
    """Every start of Ray is in token mode, with the file of who ran `ray up`, for its owner alone to read; without it nothing starts."""
    for kind in ("head", "worker"):
        env = _started(config, kind, home).env
        assert env.get("RAY_AUTH_MODE") == "token"
        assert "RAY_AUTH_TOKEN" not in env
        assert not _starts(config, kind, home, token=False)
    assert config["file_mounts"].get("~/.ray/auth_token") == "~/.ray/auth_token"
    for kind in ("head", "worker"):
        (home / ".ray" / "auth_token").chmod(0o644)  # as `ray get-auth-token --generate` leaves it
        for command in config[f"{kind}_setup_commands"]:
            if "auth_token" in command:
                _run(command, home)
        assert stat.S_IMODE((home / ".ray" / "auth_token").stat().st_mode) == 0o600
        assert stat.S_IMODE((home / ".ray").stat().st_mode) == 0o700


def _loopback(config: dict, home: Path) -> None:
    assert _started(config, "head", home).words["dashboard_host"] == "127.0.0.1"


def _closed(config: dict, home: Path) -> None:
    """Of what Ray would let into the group's machines, only SSH comes from outside."""
    if config["provider"]["type"] == "local":
        return
    group = config["provider"]["security_group"]
    assert group["GroupName"]
    for rule in _create_default_inbound_rules({"sg-of-the-cluster"}, group.get("IpPermissions", [])):
        outside = {key for key in ("IpRanges", "Ipv6Ranges", "PrefixListIds") if rule.get(key)}
        assert not outside or (rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) == (22, 22, "tcp"), rule


def _quiet(config: dict, home: Path) -> None:
    for kind in ("head", "worker"):  # Ray's own word for the head, said before the command, is overruled
        assert _started(config, kind, home, node={"RAY_USAGE_STATS_ENABLED": 1}).env["RAY_USAGE_STATS_ENABLED"] == "0"


def _idle_head(config: dict, home: Path) -> None:
    """No task fits on the head."""
    if config["provider"]["type"] == "local":
        words = _started(config, "head", home).words
        assert (words["num_cpus"], words["num_gpus"]) == (0, 0)
    else:
        assert config["available_node_types"][config["head_node_type"]]["resources"] == {"CPU": 0}


def _wheel(config: dict, home: Path) -> None:
    """The wheel and its versions go to every node, into the interpreter that starts Ray there."""
    assert config["file_mounts"]["~/l9-install/dist"] == "dist"
    assert config["file_mounts"]["~/l9-install/constraints.txt"] == "constraints.txt"
    dist = home / "l9-install" / "dist"
    dist.mkdir(parents=True)
    for age, name in enumerate(
        ("l9_vision-0.9.0-py3-none-any.whl", "l9_vision-0.10.0-py3-none-any.whl", "l9_vision-0.2.0-py3-none-any.whl")
    ):
        (dist / name).touch()
        os.utime(dist / name, (0, 1_000_000 - age))
    for kind in ("head", "worker"):
        calls = [call.words for command in config[f"{kind}_setup_commands"] if "pip install" in command for call in _run(command, home)]
        wanted = [
            "--constraint",
            str(home / "l9-install" / "constraints.txt"),
            str(dist / "l9_vision-0.9.0-py3-none-any.whl"),
        ]  # the newest
        assert any(words[:4] == ["python", "-m", "pip", "install"] and words[-3:] == wanted for words in calls)
        assert all(words[-1] in (wanted[-1], "boto3") for words in calls)
        assert _started(config, kind, home)


def _shared_home(config: dict, home: Path) -> None:
    """A node whose home is not mounted does not join."""
    for kind in ("head", "worker"):
        assert _started(config, kind, home).env["L9_HOME"] == "/mnt/l9"
        assert not _starts(config, kind, home, mounted=False)


def _health(config: dict, home: Path) -> None:
    """A node that does not answer is dead within 30 s; the names are ones that Ray reads."""
    env = _started(config, "head", home).env
    for name in (name for name in env if name.startswith("RAY_health_check")):
        assert hasattr(Config, name.removeprefix("RAY_")), name
    period, timeout, checks = (
        int(env.get(f"RAY_health_check_{name}", getattr(Config, f"health_check_{name}")()))
        for name in ("period_ms", "timeout_ms", "failure_threshold")
    )
    assert checks * (period + timeout) <= 30_000


def _joins(config: dict, home: Path) -> None:
    head, worker = _started(config, "head", home).words, _started(config, "worker", home).words
    assert head["head"] and head["autoscaling_config"] == "~/ray_bootstrap_config.yaml"
    assert worker["address"] == f"{HEAD_IP}:{head['port']}"
    assert head["object_store_memory"] == worker["object_store_memory"] == 1 << 30


def _launched(config: dict, demand: dict, *, no_spot: bool = False) -> str | None:
    """The node type that Ray's own scheduler starts for one such task while no worker runs."""
    scaling = AutoscalingConfig(copy.deepcopy(config), skip_content_hash=True)
    types = scaling.get_node_type_configs()
    spot = [name for name, of in config["available_node_types"].items() if of["node_config"].get("InstanceMarketOptions")]
    reply = ResourceDemandScheduler(None).schedule(
        SchedulingRequest(
            disable_launch_config_check=True,
            node_type_configs=types,
            max_num_nodes=scaling.get_max_num_nodes(),
            resource_requests=ResourceRequestUtil.group_by_count([ResourceRequestUtil.make(demand)]),
            recoverable_resource_availabilities=dict.fromkeys(spot, 0.5) if no_spot else {},  # as after a launch that failed
        )
    )
    workers = [launch.instance_type for launch in reply.to_launch if launch.instance_type != config["head_node_type"]]
    return workers[0] if workers else None


def _elastic(config: dict, home: Path) -> None:
    """CPU work starts CPU machines, GPU work GPU machines, on spot as long as there is any; nothing runs while nothing is asked for."""
    if config["provider"]["type"] == "local":
        return
    types = config["available_node_types"]
    assert all(of["min_workers"] == 0 for of in types.values())
    assert 0 < config["max_workers"] <= sum(of["max_workers"] for of in types.values())
    assert 0 < config["idle_timeout_minutes"] <= 10 and config["upscaling_speed"] > 0
    for demand, gpus in (({"CPU": 1}, 0), ({"CPU": 1, "GPU": 1}, 1)):
        first, instead = _launched(config, demand), _launched(config, demand, no_spot=True)
        assert first and instead and first != instead
        assert types[first]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
        assert "InstanceMarketOptions" not in types[instead]["node_config"]
        for name in (first, instead):
            assert types[name]["resources"].get("GPU", 0) == gpus
            assert types[name]["max_workers"] > 0


PROPERTIES = (_token, _loopback, _closed, _quiet, _idle_head, _wheel, _shared_home, _health, _joins, _elastic)


@pytest.mark.parametrize("check", PROPERTIES, ids=lambda check: check.__name__.strip("_"))
@pytest.mark.parametrize("name", FILES)
def test_the_cluster_is_what_it_should_be(name, check, tmp_path):
    check(_prepared(_config(name)), tmp_path)


def _replaced(old: str, new: str, count: int = -1):
    def change(config: dict) -> dict:
        text = yaml.safe_dump(config, width=10_000)
        assert old in text, f"nothing to damage: {old}"
        return yaml.safe_load(text.replace(old, new, count))

    return change


def _changed(*path: str, to: object):
    def change(config: dict) -> dict:
        place = config
        for key in path[:-1]:
            place = place[key]
        if to is None:
            del place[path[-1]]
        else:
            place[path[-1]] = to
        return config

    return change


def _only_the_head_is_set_up(config: dict) -> dict:
    return config | {"setup_commands": [], "head_setup_commands": config["setup_commands"]}


WIDE_OPEN = [{"FromPort": 8265, "ToPort": 8265, "IpProtocol": "tcp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
DAMAGES = [
    ("both", _token, "no token mode", _replaced("RAY_AUTH_MODE=token RAY_USAGE", "RAY_USAGE")),
    ("both", _token, "token mode off", _replaced("RAY_AUTH_MODE=token RAY_USAGE", "RAY_AUTH_MODE=disabled RAY_USAGE")),
    ("both", _token, "no token file", _replaced("~/.ray/auth_token: ~/.ray/auth_token", "~/.ray/other: ~/.ray/other")),
    ("both", _token, "token for all to read", _replaced("chmod 600", "chmod 644")),
    ("both", _token, "starts without its token", _replaced("test -s ~/.ray/auth_token || exit 1;", "")),
    ("both", _loopback, "dashboard to all", _replaced("--dashboard-host=127.0.0.1", "--dashboard-host=0.0.0.0")),
    ("aws", _closed, "dashboard's port to all", _changed("provider", "security_group", "IpPermissions", to=WIDE_OPEN)),
    ("both", _quiet, "telemetry", _replaced("RAY_USAGE_STATS_ENABLED=0", "")),
    ("aws", _idle_head, "tasks on the head", _changed("available_node_types", "head", "resources", to={"CPU": 4})),
    ("local", _idle_head, "tasks on the head", _replaced("--num-cpus=0 ", "")),
    ("both", _wheel, "workers without l9", _only_the_head_is_set_up),
    ("both", _wheel, "any versions", _replaced("--constraint ~/l9-install/constraints.txt ", "")),
    ("both", _wheel, "another interpreter's Ray", _replaced("~/l9-env/bin/ray start", "ray start")),
    ("both", _shared_home, "no home", _replaced("mountpoint -q /mnt/l9 || exit 1;", "")),
    ("both", _health, "slow health", _replaced("RAY_health_check_timeout_ms=5000", "")),
    ("both", _health, "misspelt health", _replaced("RAY_health_check_period_ms", "RAY_health_check_interval_ms")),
    ("both", _joins, "another port", _replaced("$RAY_HEAD_IP:6379", "$RAY_HEAD_IP:6380")),
    (
        "aws",
        _elastic,
        "no spot for training",
        _changed("available_node_types", "train_spot", "node_config", "InstanceMarketOptions", to=None),
    ),
    ("aws", _elastic, "no fallback for training", _changed("available_node_types", "train", to=None)),
    ("aws", _elastic, "no fallback for preparation", _changed("available_node_types", "preprocess", to=None)),
    ("aws", _elastic, "on demand first", _changed("available_node_types", "train", "priority", to=9)),
    ("aws", _elastic, "no GPU", _replaced("GPU: 1", "GPU: 0")),
    ("aws", _elastic, "always on", _changed("available_node_types", "train", "min_workers", to=1)),
]


@pytest.mark.parametrize(
    ("name", "check", "damage"),
    [
        pytest.param(name, check, damage, id=f"{name}-{what}")
        for which, check, what, damage in DAMAGES
        for name in (FILES if which == "both" else [which])
    ],
)
def test_a_damaged_cluster_is_noticed(name, check, damage, tmp_path):
    damaged = _prepared(damage(_config(name)))  # Ray itself would take it
    with pytest.raises((AssertionError, KeyError)):
        check(damaged, tmp_path)


def test_ray_refuses_a_field_it_does_not_know():
    """What the other tests lean on: Ray's check is strict about names."""
    config = _config("aws")
    config["available_node_types"]["train"]["max_worker"] = 1
    with pytest.raises(Exception, match="max_worker"):
        _prepared(config)


@pytest.mark.parametrize("name", FILES)
def test_what_is_to_be_filled_in_stands_on_top(name):
    text = FILES[name].read_text(encoding="utf-8")
    listed = set(re.findall(r"^#   (FILL_IN_\w+) ", text, flags=re.MULTILINE))
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    assert listed == set(re.findall(r"FILL_IN_[A-Z_]*[A-Z]", body))


def _secrets(text: str) -> list[str]:
    return [pattern for pattern in SECRETS if re.search(pattern, text)]


@pytest.mark.parametrize("path", [*FILES.values(), *sorted((ROOT / "deploy").iterdir())], ids=lambda path: path.name)
def test_no_secret_is_written_down(path):
    assert not _secrets(path.read_text(encoding="utf-8"))


def test_a_secret_would_be_noticed():
    text = FILES["aws"].read_text(encoding="utf-8")
    for secret in (
        "0123456789abcdef" * 4,
        "AKIA" + "A" * 16,
        "RAY_AUTH_TOKEN=abc",
        "-----BEGIN RSA PRIVATE KEY-----",
        "password: abc",
        "aB3d" * 10,
    ):
        assert _secrets(f"{text}\n  - export TOKEN {secret}"), secret


@pytest.mark.parametrize("cloud", ["gcp", "azure"])
def test_the_variant_of_another_cloud_is_accepted(cloud):
    """As the comment says: its provider, and its node_config in every type."""
    block = FILES["aws"].read_text(encoding="utf-8").split(f"# variant: {cloud}\n")[1].split("#\n")[0]
    variant = yaml.safe_load(re.sub(r"^#   ", "", block, flags=re.MULTILINE))
    config = _config("aws") | {"provider": variant["provider"]}
    for node_type in config["available_node_types"].values():
        node_type["node_config"] = variant["node_config"]
    prepared = _prepared(config)
    assert prepared["provider"]["type"] == cloud
    assert "reemptible" in str(prepared) or "Spot" in str(prepared)


def test_what_open3d_is_linked_against_is_installed_everywhere():
    for path in (*FILES.values(), ROOT / "deploy" / "Dockerfile"):
        assert OPEN3D in path.read_text(encoding="utf-8"), path.name
