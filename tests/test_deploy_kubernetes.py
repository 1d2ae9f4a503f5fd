"""deploy/kuberay.yaml and deploy/Dockerfile, without Kubernetes or Docker: structure, safety, each property missed when it is taken away.

Field names are those of Kubernetes 1.33 and KubeRay 1.5.1, as far as the file has them: a misspelt one is refused there, or worse, ignored.
"""

import copy
import re
import shlex
from pathlib import Path

import jsonschema
import pytest
import ray
import typer
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
from ray.scripts.scripts import start
from typer.exceptions import TyperException

from l9.cli import app

ROOT = Path(__file__).parent.parent
KUBERAY = ROOT / "deploy" / "kuberay.yaml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


def _record(required: str = "", **fields: dict) -> dict:
    """A record that has no fields but these."""
    return {"type": "object", "properties": fields, "required": required.split(), "additionalProperties": False}


def _many(items: dict) -> dict:
    return {"type": "array", "items": items, "minItems": 1}


TEXT, COUNT, FLAG = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}, {"type": "boolean"}
LABEL = {"type": "string", "pattern": "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
QUANTITIES = {"type": "object", "additionalProperties": {"type": "string", "pattern": r"^[0-9]+(m|Ki|Mi|Gi|Ti)?$"}}
RESOURCES = _record("requests limits", requests=QUANTITIES, limits=QUANTITIES)
METADATA = _record("name", name=LABEL, labels=TEXTS)
SELECTOR = _record("matchLabels", matchLabels=TEXTS)
ENV = _many(_record("name value", name=TEXT, value=TEXT))
PROBE = _record(
    "httpGet",
    httpGet=_record("path port", path={"type": "string", "pattern": "^/"}, port=COUNT),
    initialDelaySeconds=COUNT,
    periodSeconds=COUNT,
    timeoutSeconds=COUNT,
    failureThreshold=COUNT,
)
CONTAINER_SECURITY = _record(allowPrivilegeEscalation=FLAG, capabilities=_record("drop", drop=_many(TEXT)))
CONTAINER = _record(
    "name image resources securityContext",
    name=LABEL,
    image=TEXT,
    env=ENV,
    resources=RESOURCES,
    ports=_many(_record("name containerPort", name=LABEL, containerPort=COUNT)),
    livenessProbe=PROBE,
    readinessProbe=PROBE,
    securityContext=CONTAINER_SECURITY,
    volumeMounts=_many(_record("name mountPath", name=LABEL, mountPath=TEXT, readOnly=FLAG)),
)
VOLUME = _record(
    "name",
    name=LABEL,
    persistentVolumeClaim=_record("claimName", claimName=LABEL),
    configMap=_record("name", name=LABEL, optional=FLAG),
)
POD = _record(
    "securityContext containers",
    automountServiceAccountToken=FLAG,
    restartPolicy={"enum": ["Never"]},
    nodeSelector=TEXTS,
    tolerations=_many(_record("key operator effect", key=TEXT, operator={"enum": ["Exists"]}, effect={"enum": ["NoSchedule"]})),
    securityContext=_record(
        runAsNonRoot=FLAG,
        runAsUser=COUNT,
        runAsGroup=COUNT,
        fsGroup=COUNT,
        fsGroupChangePolicy={"enum": ["OnRootMismatch", "Always"]},
        seccompProfile=_record("type", type={"enum": ["RuntimeDefault"]}),
    ),
    containers=_many(CONTAINER),
    volumes=_many(VOLUME),
)
TEMPLATE = _record("spec", metadata=_record(labels=TEXTS), spec=POD)
SPECS = {
    ("v1", "PersistentVolumeClaim"): _record(
        "accessModes resources",
        accessModes=_many({"enum": ["ReadWriteMany"]}),
        storageClassName=TEXT,
        resources=_record("requests", requests=QUANTITIES),
    ),
    ("networking.k8s.io/v1", "NetworkPolicy"): _record(
        "podSelector policyTypes ingress",
        podSelector=SELECTOR,
        policyTypes=_many({"enum": ["Ingress", "Egress"]}),
        ingress=_many(
            {
                "properties": {
                    "from": _many(_record(podSelector=SELECTOR, namespaceSelector={"type": "object"})),
                    "ports": _many(_record("protocol port", protocol={"enum": ["TCP"]}, port=COUNT)),
                },
                "required": ["from"],
                "additionalProperties": False,
            }
        ),
    ),
    ("ray.io/v1", "RayCluster"): _record(
        "rayVersion authOptions headGroupSpec workerGroupSpecs",
        rayVersion=TEXT,
        authOptions=_record("mode", mode={"enum": ["disabled", "token"]}),
        enableInTreeAutoscaling=FLAG,
        autoscalerOptions=_record(
            version={"enum": ["v1", "v2"]},
            upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]},
            idleTimeoutSeconds=COUNT,
            env=ENV,
            securityContext=CONTAINER_SECURITY,
        ),
        headGroupSpec=_record("rayStartParams template", serviceType=TEXT, rayStartParams=TEXTS, template=TEMPLATE),
        workerGroupSpecs=_many(
            _record(
                "groupName minReplicas maxReplicas rayStartParams template",
                groupName=LABEL,
                replicas=COUNT,
                minReplicas=COUNT,
                maxReplicas=COUNT,
                rayStartParams=TEXTS,
                template=TEMPLATE,
            )
        ),
    ),
    ("ray.io/v1", "RayJob"): _record(
        "clusterSelector entrypoint submitterPodTemplate",
        clusterSelector=TEXTS,
        submissionMode={"enum": ["K8sJobMode"]},
        entrypoint=TEXT,
        submitterPodTemplate=TEMPLATE,
    ),
}


def _documents() -> dict[str, dict]:
    return {document["kind"]: document for document in yaml.safe_load_all(KUBERAY.read_text(encoding="utf-8"))}


def _pods(documents: dict) -> dict[str, dict]:
    cluster = documents["RayCluster"]["spec"]
    pods = {"head": cluster["headGroupSpec"]["template"]["spec"]}
    pods |= {group["groupName"]: group["template"]["spec"] for group in cluster["workerGroupSpecs"]}
    return pods | {"submitter": documents["RayJob"]["spec"]["submitterPodTemplate"]["spec"]}


def _env(pod: dict) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in pod["containers"][0]["env"]}


def _known_fields(documents: dict) -> None:
    assert len(documents) == len(SPECS)
    for document in documents.values():
        whole = _record(
            "apiVersion kind metadata spec",
            apiVersion=TEXT,
            kind=TEXT,
            metadata=METADATA,
            spec=SPECS[document["apiVersion"], document["kind"]],
        )
        try:
            jsonschema.validate(document, whole)
        except jsonschema.ValidationError as error:
            raise AssertionError(error.message) from error


def _token(documents: dict) -> None:
    """Asked of the operator, and said to Ray itself, which then does not start where the operator knows no tokens."""
    assert documents["RayCluster"]["spec"]["authOptions"] == {"mode": "token"}
    for pod in _pods(documents).values():
        assert _env(pod)["RAY_AUTH_MODE"] == "token"
        assert "RAY_AUTH_TOKEN" not in _env(pod)
    assert "Secret" not in documents


def _quiet(documents: dict) -> None:
    assert all(_env(pod)["RAY_USAGE_STATS_ENABLED"] == "0" for pod in _pods(documents).values())


def _private(documents: dict) -> None:
    """No way in from outside of Kubernetes, and inside only for who has to do with this cluster."""
    assert documents["RayCluster"]["spec"]["headGroupSpec"]["serviceType"] == "ClusterIP"
    assert not {"Service", "Ingress"} & set(documents)
    policy = documents["NetworkPolicy"]["spec"]
    own = {"ray.io/cluster": documents["RayCluster"]["metadata"]["name"]}
    assert policy["podSelector"] == {"matchLabels": own} and "Ingress" in policy["policyTypes"]
    for rule in policy["ingress"]:
        assert rule["from"] and all(source["podSelector"]["matchLabels"] for source in rule["from"])
        assert rule["from"] == [{"podSelector": {"matchLabels": own}}] or [port["port"] for port in rule["ports"]] == [8265]
    submitter = documents["RayJob"]["spec"]["submitterPodTemplate"]["metadata"]["labels"]
    assert any(source["podSelector"]["matchLabels"].items() <= submitter.items() for rule in policy["ingress"] for source in rule["from"])


def _unprivileged(documents: dict) -> None:
    for pod in _pods(documents).values():
        security = pod["securityContext"]
        assert security["runAsNonRoot"] and security["runAsUser"] > 0 and security["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    for name in ("preprocess", "train", "submitter"):
        assert _pods(documents)[name]["automountServiceAccountToken"] is False


def _home(documents: dict) -> None:
    claim = documents["PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for name, pod in _pods(documents).items():
        if name != "submitter":
            volumes = {volume["name"]: volume for volume in pod["volumes"]}
            (mount,) = [mount for mount in pod["containers"][0]["volumeMounts"] if mount["mountPath"] == _env(pod)["L9_HOME"]]
            assert volumes[mount["name"]]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
            assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} == set(volumes)


def _elastic(documents: dict) -> None:
    """What Ray's autoscaler reads from the cluster: no tasks on the head, a CPU and a GPU type, from nothing to a stated end."""
    cluster = copy.deepcopy(documents["RayCluster"])
    cluster["metadata"]["namespace"] = "default"
    assert cluster["spec"]["enableInTreeAutoscaling"] is True
    config = _derive_autoscaling_config_from_ray_cr(cluster)
    types = config["available_node_types"]
    assert types["headgroup"]["resources"]["CPU"] == types["headgroup"]["resources"]["GPU"] == 0
    assert types["train"]["resources"]["GPU"] == 1 and "GPU" not in types["preprocess"]["resources"]
    for name in ("preprocess", "train"):
        assert types[name]["resources"]["CPU"] > 0 and types[name]["min_workers"] == 0 < types[name]["max_workers"] < 100
    assert 0 < config["idle_timeout_minutes"] <= 10


def _start_parameters(documents: dict) -> None:
    """Ray's own command line takes them, and the version is the one that is pinned."""
    cluster = documents["RayCluster"]["spec"]
    pinned = re.search(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert pinned and cluster["rayVersion"] == pinned[1] == ray.__version__
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        words = start.make_context("start", [f"--{name}={value}" for name, value in group["rayStartParams"].items()]).params
        assert words["object_store_memory"] == 1 << 30


def _health(documents: dict) -> None:
    """Ray calls a silent node dead within 30 s; Kubernetes replaces its pod later, by Ray's own page of health."""
    head = _env(_pods(documents)["head"])
    period, timeout, checks = (int(head[f"RAY_health_check_{name}"]) for name in ("period_ms", "timeout_ms", "failure_threshold"))
    assert checks * (period + timeout) <= 30_000
    for name, pod in _pods(documents).items():
        if name != "submitter":
            live, ready = pod["containers"][0]["livenessProbe"], pod["containers"][0]["readinessProbe"]
            assert live["httpGet"] == ready["httpGet"] == {"path": "/api/healthz", "port": 52365}
            assert 30 < live["periodSeconds"] * live["failureThreshold"] <= 300


def _job(documents: dict) -> None:
    """l9's own command line takes the job's words, and the recipe is where the head has it mounted."""
    job = documents["RayJob"]["spec"]
    assert job["clusterSelector"] == {"ray.io/cluster": documents["RayCluster"]["metadata"]["name"]}
    program, verb, *words = shlex.split(job["entrypoint"])
    assert (program, verb) == ("l9", "run")
    run = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
    given = run.make_context("run", words).params
    head = _pods(documents)["head"]
    assert str(given["home"]) == _env(head)["L9_HOME"] and given["address"] == "auto"
    assert str(Path(given["recipe"]).parent) in [mount["mountPath"] for mount in head["containers"][0]["volumeMounts"]]


PROPERTIES = (_known_fields, _token, _quiet, _private, _unprivileged, _home, _elastic, _start_parameters, _health, _job)


@pytest.mark.parametrize("check", PROPERTIES, ids=lambda check: check.__name__.strip("_"))
def test_the_cluster_is_what_it_should_be(check):
    check(_documents())


DAMAGES = [
    (_known_fields, "livenessProbe:", "livenesProbe:"),
    (_known_fields, "groupName: preprocess", "groupName: Pre_process"),
    (_known_fields, "apiVersion: ray.io/v1\nkind: RayCluster", "apiVersion: ray.io/v1alpha1\nkind: RayCluster"),
    (_known_fields, "authOptions:", "authOption:"),
    (_token, "mode: token", "mode: disabled"),
    (_token, "RAY_AUTH_MODE", "RAY_AUTH_MOD"),
    (_token, "{ name: RAY_AUTH_MODE, value: token }", "{ name: RAY_AUTH_TOKEN, value: abc }"),
    (_quiet, 'RAY_USAGE_STATS_ENABLED, value: "0"', 'RAY_USAGE_STATS_ENABLED, value: "1"'),
    (_private, "serviceType: ClusterIP", "serviceType: LoadBalancer"),
    (_private, "podSelector:\n            matchLabels: { app.kubernetes.io/part-of: l9 }", "podSelector: {matchLabels: {}}"),
    (_private, "port: 8265", "port: 6379"),
    (_unprivileged, "runAsNonRoot: true", "runAsNonRoot: false"),
    (_unprivileged, "drop: [ALL]", "drop: [NET_RAW]"),
    (_unprivileged, "automountServiceAccountToken: false", "automountServiceAccountToken: true"),
    (_home, "accessModes: [ReadWriteMany]", "accessModes: [ReadWriteOnce]"),
    (_home, "claimName: l9-home", "claimName: other"),
    (_elastic, 'num-cpus: "0"', 'num-cpus: "4"'),
    (_elastic, "nvidia.com/gpu:", "example.org/card:"),
    (_elastic, "minReplicas: 0", "minReplicas: 1"),
    (_start_parameters, 'rayVersion: "2.60.0"', 'rayVersion: "2.59.0"'),
    (_start_parameters, 'object-store-memory: "1073741824"', 'object-store-memory: "2"'),
    (_health, 'RAY_health_check_timeout_ms, value: "5000"', 'RAY_health_check_timeout_ms, value: "10000"'),
    (_health, "/api/healthz", "/api/health"),
    (_job, "ray.io/cluster: l9 }\n  submissionMode", "ray.io/cluster: other }\n  submissionMode"),
    (_job, "--address auto", "--adress auto"),
    (_job, "/etc/l9/recipe.json", "/etc/recipe.json"),
]


@pytest.mark.parametrize(("check", "old", "new"), DAMAGES, ids=[f"{check.__name__.strip('_')}-{new[:30]}" for check, old, new in DAMAGES])
def test_a_damaged_cluster_is_noticed(check, old, new):
    text = KUBERAY.read_text(encoding="utf-8")
    assert old in text
    damaged = {document["kind"]: document for document in yaml.safe_load_all(text.replace(old, new))}
    with pytest.raises((AssertionError, KeyError, TyperException)):
        check(damaged)


def _instructions(text: str) -> list[tuple[str, str]]:
    """(INSTRUCTION, words) in order, comments left out and continued lines joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")).replace("\\\n", " ")
    return [(line.split(None, 1)[0].upper(), re.sub(r"\s+", " ", line.split(None, 1)[1])) for line in lines.splitlines() if line.strip()]


def _image(text: str) -> None:
    steps = _instructions(text)
    words = {name: [of for step, of in steps if step == name] for name, _ in steps}
    assert set(words) == {
        "FROM",
        "RUN",
        "COPY",
        "ENV",
        "USER",
        "WORKDIR",
        "CMD",
    }  # no ADD, which fetches; no EXPOSE; no ARG, which stays in the image
    assert words["FROM"] == ["python:3.11-slim-bookworm"]
    assert words["COPY"] == ["constraints.txt dist/l9_vision-*.whl /tmp/install/"]
    runs = " ; ".join(words["RUN"])
    (packages,) = re.findall(r"apt-get install --yes --no-install-recommends ([a-z0-9. -]+?) &&", runs)
    assert set(packages.split()) == {"libgl1", "libegl1", "libx11-6", "libusb-1.0-0", "libgomp1"}
    assert re.search(r"pip install .*--constraint /tmp/install/constraints.txt /tmp/install/l9_vision-\*\.whl", runs)
    assert not re.search(r"https?://|curl|wget|--index-url|--extra-index", text)
    assert len(words["USER"]) == 1 and re.fullmatch(r"1000:1000", words["USER"][0])
    assert not [step for step, _ in steps[[step for step, _ in steps].index("USER") :] if step in ("RUN", "COPY")]
    env = dict(pair.split("=", 1) for pair in " ".join(words["ENV"]).split())
    assert env["RAY_AUTH_MODE"] == "token" and env["RAY_USAGE_STATS_ENABLED"] == "0"
    assert not [name for name in env if re.search(r"(TOKEN|SECRET|PASSWORD|KEY)$", name)]


def test_the_image_is_what_it_should_be():
    _image(DOCKERFILE.read_text(encoding="utf-8"))
    assert (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() == ["*", "!constraints.txt", "!dist/l9_vision-*.whl"]
    assert {pod["securityContext"]["runAsUser"] for pod in _pods(_documents()).values()} == {1000}  # as USER


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("python:3.11-slim-bookworm", "python:latest"),
        ("USER 1000:1000", "USER root"),
        ("USER 1000:1000\n", ""),
        ("COPY constraints.txt", "ADD constraints.txt"),
        ("CMD [", "EXPOSE 8265\nCMD ["),
        ("libgomp1", "libgomp1 openssh-server"),
        ("--constraint /tmp/install/constraints.txt ", ""),
        ("RAY_USAGE_STATS_ENABLED=0", "RAY_USAGE_STATS_ENABLED=1"),
        ("RAY_AUTH_MODE=token", "RAY_AUTH_MODE=token RAY_AUTH_TOKEN=abc"),
        ("CMD [", "RUN pip install other\nCMD ["),
        ("&& rm -r /tmp/install", "&& curl -O example.org/x"),
    ],
)
def test_a_damaged_image_is_noticed(old, new):
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises((AssertionError, KeyError)):
        _image(text.replace(old, new))
