"""Files for Docker, Kubernetes, Cloud Run and systemd: checked by the linter or the schema of each, since none of these
systems can be run here, and held against what Netra does.
"""

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from django.core.management import get_commands, load_command_class

from integration.deploy.programs import DEPLOY, approve, program
from netra.project.configuration.environment import Environment
from servers.netra import ROOT
from servers.process import ServerProcess, accepts_connections, free_port
from servers.valkey import binary

KUBERNETES = sorted(path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml")
UNITS = DEPLOY / "systemd"
# NETRA_DRAIN_SECONDS is for runs; after that come the journal and the last words of sockets.
AFTER_DRAIN = 20
ENV = {"SECRET_KEY": "k", "POSTGRES_PASSWORD": "p", "NETRA_HOST": "netra.example"}


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def kubernetes(kind: str) -> list[dict[str, Any]]:
    return [document for path in KUBERNETES for document in documents(path) if document["kind"] == kind]


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in container.get("env", ())}


# --- their own checkers


def test_dockerfile__hadolint() -> None:
    approve([program("hadolint", "make setup-dev"), str(DEPLOY / "docker" / "Dockerfile")])


def test_compose_file__docker_compose() -> None:
    compose = program("docker-compose", "make setup-dev")
    written = approve([compose, "--file", str(DEPLOY / "docker" / "compose.yaml"), "config"], ENV)
    services = yaml.safe_load(written)["services"]
    assert set(services) == {"postgres", "valkey", "migrate", "server", "worker", "caddy"}
    assert services["server"]["deploy"]["replicas"] == services["worker"]["deploy"]["replicas"] == 2


def test_compose_file__says_what_is_missing() -> None:
    compose = program("docker-compose", "make setup-dev")
    with pytest.raises(AssertionError, match=r"put \w+ into \.env"):
        approve([compose, "--file", str(DEPLOY / "docker" / "compose.yaml"), "config"], dict.fromkeys(ENV, ""))


def test_kubernetes__schema(tmp_path: Path) -> None:
    validate = program("kubernetes-validate", "make setup-dev")
    found = [document for path in KUBERNETES for document in documents(path)]
    for document in found:
        document["metadata"].setdefault("name", "made-by-the-server")  # `generateName` is not known to the checker
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(found))
    written = approve([validate, "--strict", str(tmp_path / "all.yaml")])
    assert written.count("passed") == len(found)
    kinds = ["ConfigMap", "CronJob", "Deployment", "Ingress", "Job", "NetworkPolicy", "PodDisruptionBudget", "Service"]
    assert sorted({document["kind"] for document in found}) == kinds


def test_cloud_run__schema_of_the_pod(tmp_path: Path) -> None:
    """Cloud Run publishes no schema: what it has of Kubernetes is held against that one, the rest by hand."""
    validate = program("kubernetes-validate", "make setup-dev")
    (service,) = documents(DEPLOY / "cloud-run" / "service.yaml")
    assert (service["apiVersion"], service["kind"]) == ("serving.knative.dev/v1", "Service")
    spec = service["spec"]["template"]["spec"]
    assert spec.pop("timeoutSeconds") == 3600  # the most there is: a WebSocket is one request
    assert 1 <= spec.pop("containerConcurrency") <= 1000
    annotations = service["spec"]["template"]["metadata"]["annotations"]
    assert annotations["run.googleapis.com/cpu-throttling"] == "false"
    assert int(annotations["autoscaling.knative.dev/minScale"]) >= 1
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "netra"}, "spec": spec}
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(pod))
    approve([validate, "--strict", str(tmp_path / "pod.yaml")])


def test_systemd__analyze(tmp_path: Path) -> None:
    verify = program("systemd-analyze", "install systemd")
    programs = tmp_path / "netra" / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "daphne"):
        (programs / name).symlink_to("/bin/true")
    units = []
    for path in UNITS.iterdir():
        if path.suffix == ".env":
            continue
        name = path.name.replace("@", "@8001") if "@" in path.name else path.name
        text = path.read_text().replace("/opt/netra", str(tmp_path / "netra"))
        units.append(tmp_path / name)
        units[-1].write_text(text.replace("%i", "8001"))
    written = approve([verify, "verify", *map(str, units)])
    assert not [line for line in written.splitlines() if str(tmp_path) in line or "netra" in line], written


@pytest.mark.parametrize("path", ["caddy/Caddyfile", "docker/Caddyfile", "staging/Caddyfile"])
def test_caddyfile__validate(path: str, tmp_path: Path) -> None:
    ports = {
        name: str(20001 + number) for number, name in enumerate(("BALANCER_PORT", "SERVER_1_PORT", "SERVER_2_PORT"))
    }
    env = {**ENV, **ports, "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    caddy = program("caddy", "make setup-dev")
    approve([caddy, "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / path)], env)


# --- held against Netra


def test_dockerfile__copies_what_there_is() -> None:
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    copied = [words.split()[0] for words in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)]
    assert copied
    assert [name for name in copied if not (ROOT / name).exists()] == []
    ignored = (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    allowed = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    assert sorted(allowed) == sorted(copied)  # what is not sent to the builder cannot be copied
    assert {path.parent.name for path in ROOT.glob("*/apps.py")} <= set(copied)


def command_lines() -> list[tuple[str, list[str]]]:
    """Every `manage.py` command that a file of `deploy/` starts, and where."""
    found = []
    (cmd,) = re.findall(r"^CMD (\[.*\])$", (DEPLOY / "docker" / "Dockerfile").read_text(), re.MULTILINE)
    found.append(("Dockerfile", yaml.safe_load(cmd)))
    for name, service in documents(DEPLOY / "docker" / "compose.yaml")[0]["services"].items():
        if service.get("image") == "netra" and "command" in service:
            found.append((f"compose.yaml {name}", service["command"]))
    for path in [*KUBERNETES, DEPLOY / "cloud-run" / "service.yaml"]:
        found += [(path.name, words) for words in _args(documents(path))]
    for path in UNITS.glob("*.service"):
        (line,) = re.findall(r"^ExecStart=(.*)$", path.read_text(), re.MULTILINE)
        if "manage.py" in line:
            found.append((path.name, shlex.split(line.replace("%i", "8001"))[2:]))
    return found


def _args(value: Any) -> list[list[str]]:
    if isinstance(value, list):
        return [args for one in value for args in _args(one)]
    if isinstance(value, dict):
        own = [value["args"]] if "image" in value else []
        return own + [args for one in value.values() for args in _args(one)]
    return []


@pytest.mark.parametrize(("where", "words"), command_lines(), ids=lambda value: value if isinstance(value, str) else "")
def test_command_line__is_understood(where: str, words: list[str]) -> None:
    name, *options = words
    command = load_command_class(get_commands()[name], name)
    command.create_parser("manage.py", name).parse_args(options)


def env_names() -> list[tuple[str, str]]:
    """Every variable that a file of `deploy/` sets for Netra, and where."""
    compose = documents(DEPLOY / "docker" / "compose.yaml")[0]
    found = [("compose.yaml", name) for name in compose["x-netra"]["environment"]]
    found += [("config.yaml", name) for name in kubernetes("ConfigMap")[0]["data"]]
    for path in [*KUBERNETES, DEPLOY / "cloud-run" / "service.yaml"]:
        found += [(path.name, name) for name in re.findall(r"\{name: ([A-Z_]+), value", path.read_text())]
        found += [(path.name, name) for name in re.findall(r"- name: ([A-Z_]+)$", path.read_text(), re.MULTILINE)]
    for line in (UNITS / "netra.env").read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            found.append(("netra.env", line.partition("=")[0]))
    return found


def test_variables__are_read_by_somebody() -> None:
    """A variable with a slip in its name would be ignored in silence."""
    sources = "".join(path.read_text() for path in ROOT.glob("netra/**/*.py"))
    from netra.agents.conf import Defaults as RunDefaults
    from websocket_core.conf import Defaults as DeliveryDefaults

    bounds = {f"NETRA_{name}" for defaults in (RunDefaults, DeliveryDefaults) for name in vars(defaults)}
    unknown = [(where, name) for where, name in env_names() if name not in bounds and f'"{name}"' not in sources]
    assert unknown == []
    assert len(env_names()) > 30


def test_graces__leave_time_for_the_drain() -> None:
    compose = documents(DEPLOY / "docker" / "compose.yaml")[0]["x-netra"]
    drain = Environment({"S": compose["environment"]["NETRA_DRAIN_SECONDS"]}).number("S", 0)
    assert int(compose["stop_grace_period"].removesuffix("s")) >= drain + AFTER_DRAIN
    for deployment in kubernetes("Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        drain = float(environment(container)["NETRA_DRAIN_SECONDS"])
        before = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["", "0"])
        least = drain + AFTER_DRAIN + float(before[1])
        assert pod["terminationGracePeriodSeconds"] >= least, deployment["metadata"]["name"]
    drain = float(re.findall(r"NETRA_DRAIN_SECONDS=(\d+)", (UNITS / "netra.env").read_text())[0])
    for name in ("netra@.service", "netra-worker@.service"):
        (stop,) = re.findall(r"TimeoutStopSec=(\d+)", (UNITS / name).read_text())
        assert float(stop) >= drain + AFTER_DRAIN, name


def test_graces__cloud_run_gives_ten_seconds() -> None:
    (service,) = documents(DEPLOY / "cloud-run" / "service.yaml")
    env = environment(service["spec"]["template"]["spec"]["containers"][0])
    used = float(env["NETRA_DRAIN_SECONDS"]) + float(env["NETRA_STOP_GRACE_SECONDS"])
    assert used + 5 < 10  # what is abandoned after that grace gets five seconds more (Runner.drain)


def test_kubernetes__selectors_find_their_pods() -> None:
    labels = [deployment["spec"]["template"]["metadata"]["labels"] for deployment in kubernetes("Deployment")]
    selectors = [
        d["spec"]["selector"]["matchLabels"] for d in kubernetes("Deployment") + kubernetes("PodDisruptionBudget")
    ]
    selectors += [service["spec"]["selector"] for service in kubernetes("Service")]
    for selector in selectors:
        assert sum(selector.items() <= pod.items() for pod in labels) == 1, selector
    assert {pod["app.kubernetes.io/component"] for pod in labels} == {"server", "worker"}
    listed = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())["resources"]
    assert sorted([*listed, "migrate.yaml"]) == [path.name for path in KUBERNETES]


# --- what a break-in would find


def pods() -> list[tuple[str, dict[str, Any]]]:
    """The specification of every pod, and where."""
    found = [(one["metadata"]["name"], one["spec"]["template"]["spec"]) for one in kubernetes("Deployment")]
    found += [("migrate", one["spec"]["template"]["spec"]) for one in kubernetes("Job")]
    return found + [("prune", one["spec"]["jobTemplate"]["spec"]["template"]["spec"]) for one in kubernetes("CronJob")]


@pytest.mark.parametrize(("name", "pod"), pods(), ids=lambda value: value if isinstance(value, str) else "")
def test_kubernetes__pods_have_few_rights_and_bounded_space(name: str, pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    context = container["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert "memory" in container["resources"]["limits"]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/var/lib/netra", "/tmp"}  # noqa: S108
    assert all("sizeLimit" in volume["emptyDir"] for volume in pod["volumes"])
    assert {volume["name"] for volume in pod["volumes"]} == {mount["name"] for mount in container["volumeMounts"]}


def test_kubernetes__every_pod_is_behind_a_network_policy() -> None:
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in kubernetes("NetworkPolicy")}
    ports = {}
    for deployment in kubernetes("Deployment"):
        template = deployment["spec"]["template"]
        chosen = [
            spec
            for spec in policies.values()
            if spec["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        ]
        rules = [rule for spec in chosen for rule in spec.get("ingress", ())]
        assert rules
        assert all(
            rule["from"] and all(one["namespaceSelector"]["matchLabels"] for one in rule["from"]) for rule in rules
        )
        ports[deployment["metadata"]["name"]] = {port["port"] for rule in rules for port in rule["ports"]}
        named = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
        assert ports[deployment["metadata"]["name"]] == named
    everyone = policies["netra"]
    assert everyone["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "netra"}
    assert "ingress" not in everyone
    assert "169.254.169.254/32" in str(everyone["egress"])


def test_kubernetes__passwords_are_in_the_secret() -> None:
    (config,) = kubernetes("ConfigMap")
    assert not {"REDIS_URL", "DATABASE_URL", "SECRET_KEY", "NETRA_METRICS_TOKEN"} & set(config["data"])
    page = (ROOT / "docs" / "howto" / "deploy-kubernetes.md").read_text()
    assert "--from-literal=REDIS_URL='redis://:PASSWORD@" in page


def compose_services(env: dict[str, str]) -> dict[str, Any]:
    compose = program("docker-compose", "make setup-dev")
    written = approve([compose, "--file", str(DEPLOY / "docker" / "compose.yaml"), "config"], env)
    services: dict[str, Any] = yaml.safe_load(written)["services"]
    return services


def test_compose__containers_have_few_rights() -> None:
    services = compose_services(ENV)
    more = {"postgres": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"], "caddy": ["NET_BIND_SERVICE"]}
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service.get("cap_add", []) == more.get(name, []), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert all("size=" in place for place in service["tmpfs"]), name
        assert ("data" in service["networks"]) is (name != "caddy"), name
        assert ("ports" in service) is (name == "caddy"), name
    for name in ("postgres", "valkey", "migrate"):
        assert list(services[name]["networks"]) == ["data"]


def test_compose__valkey_has_a_password_that_no_list_of_processes_shows() -> None:
    services = compose_services({**ENV, "VALKEY_PASSWORD": "of-valkey"})
    assert services["server"]["environment"]["REDIS_URL"] == "redis://:of-valkey@valkey:6379/0"
    assert "of-valkey" not in str(services["valkey"]["command"])
    assert services["valkey"]["environment"]["REDISCLI_AUTH"] == "of-valkey"
    assert compose_services(ENV)["server"]["environment"]["REDIS_URL"] == "redis://:p@valkey:6379/0"


def test_compose__valkey_takes_its_password_by_standard_input(tmp_path: Path) -> None:
    """The very line of the file, with the program that the tests have."""
    command = compose_services(ENV)["valkey"]["command"]
    port = free_port()
    line = command[2].replace("$$", "$").replace("valkey-server -", f"{binary()} - --port {port} --bind 127.0.0.1")
    server = ServerProcess(
        ["sh", "-c", line],
        cwd=tmp_path,
        log=tmp_path / "log",
        is_ready=lambda: accepts_connections(port),
        env={**os.environ, "REDISCLI_AUTH": "s3cret"},
    )
    server.start()
    try:
        with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        with redis.Redis(port=port, password="s3cret") as friend:
            assert friend.ping()
            assert friend.config_get("save") == {"save": ""}
            friend.shutdown(nosave=True)
    finally:
        server.kill()
