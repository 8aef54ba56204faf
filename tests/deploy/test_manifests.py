"""Compose file and Kubernetes manifests: as their schemas have them, and fit for what we ship."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import kubernetes_validate
import pytest
import yaml
from compose_spec import PyCompose

from recon.cli import recon
from recon.clock import parse_duration
from recon.db.embedded.binaries import packaged_binaries
from recon.settings import Settings, ignored_variables, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from recon.db.embedded import EmbeddedPostgres

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose"
KUBERNETES = ROOT / "deploy" / "kubernetes"
VERSION = "1.34"

SECRETS = {
    "database_url": "postgresql://recon_service:p@database:5432/recon",
    "migration_database_url": "postgresql://recon_owner:p@database:5432/recon",
    "seal_keys": json.dumps(["5e" * 32]),
    "game_key": "gk_live_key",
    "game_signing": "a signing secret of the game",
    "stripe_uk": json.dumps(["whsec_stripe"]),
}


def spoken(document: object) -> list[str]:
    """Every string in a document, the names of its fields included."""
    match document:
        case dict():
            return [word for pair in document.items() for part in pair for word in spoken(part)]
        case list():
            return [word for part in document for word in spoken(part)]
    return [str(document)]


def settled(settings: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a container are ones that can be used, with secrets where it mounts them."""
    for name in [name for name in os.environ if name.startswith("RECON_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    for name, value in settings.items():
        text = str(value)
        if name.endswith("_FILE"):
            secret = folder / Path(text).name
            secret.write_text(SECRETS[secret.name])
            text = str(secret)
        monkeypatch.setenv(name, text)
    load_settings()
    assert [*ignored_variables()] == []


def command_of(words: Iterable[str]) -> click.Context:
    """Our command line takes these words; nothing is run."""
    name, *arguments = map(str, words)
    with click.Context(recon) as ctx:
        command = recon.get_command(ctx, name)
        assert command is not None, name
        return command.make_context(name, arguments, parent=ctx)


# --- compose -------------------------------------------------------------------------------------


@pytest.fixture
def compose() -> Any:  # noqa: ANN401 - any YAML
    return yaml.safe_load((COMPOSE / "compose.yml").read_text(encoding="utf-8"))


def test_the_compose_file_is_one(compose: Any) -> None:  # noqa: ANN401 - any YAML
    # As JSON: what YAML merges is merged by then, and the schema sees what Compose sees.
    assert PyCompose.from_json(json.dumps(compose)).to_dict()["name"] == "recon"


def test_what_it_names_is_there(compose: Any) -> None:  # noqa: ANN401 - any YAML
    for name, service in compose["services"].items():
        assert set(service.get("secrets", ())) <= compose["secrets"].keys(), name
        assert set(service.get("depends_on", ())) <= compose["services"].keys(), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (COMPOSE / source).exists(), volume
            else:
                assert source in compose["volumes"], volume
        if "build" in service:
            assert (COMPOSE / service["build"]["context"] / "Dockerfile").is_file()
        # Plain names; where they come from is the machine's to say.
        assert re.fullmatch(r"([a-z]+/)?[a-z]+(:[\w.]+)?", service["image"]), service["image"]


@pytest.mark.parametrize("name", ["migrate", "recon", "worker"])
def test_its_containers_are_ours_closed_and_set_up(
    compose: Any,  # noqa: ANN401 - any YAML
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = compose["services"][name]

    assert service["read_only"] is True
    assert service["user"] == "10001:10001"
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert command_of(service["command"]).command.name == {"recon": "serve"}.get(name, name)
    files = [v for k, v in service["environment"].items() if k.endswith("_FILE")]
    assert {f"/run/secrets/{secret}" for secret in service["secrets"]} == set(files)
    settled(service["environment"], tmp_path, monkeypatch)


def test_each_of_ours_is_given_the_time_that_it_may_take_to_end(
    compose: Any,  # noqa: ANN401 - any YAML
) -> None:
    ours = [one for one in compose["services"].values() if one.get("image") == "recon:latest"]

    assert len(ours) >= 2
    for service in ours:
        assert parse_duration(service["stop_grace_period"]) > Settings().ends_within


def test_its_secrets_are_made_once_and_closed(tmp_path: Path, compose: Any) -> None:  # noqa: ANN401
    script = tmp_path / "make-secrets"
    script.write_bytes((COMPOSE / "make-secrets").read_bytes())
    script.chmod(0o755)
    made = []
    for _ in range(2):
        subprocess.run([script], check=True, timeout=100)  # noqa: S603 - our own
        made.append({path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()})

    assert made[0] == made[1]
    assert made[0].keys() == compose["secrets"].keys()
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    password = made[0]["service_password"]
    assert re.fullmatch(r"[0-9a-f]{64}", password)
    assert made[0]["database_url"] == f"postgresql://recon_service:{password}@database:5432/recon"
    assert len(json.loads(made[0]["seal_keys"])[0]) == 64
    assert password != made[0]["owner_password"]


def test_its_database_gets_the_service_s_role_with_the_password_that_was_made(
    tmp_path: Path, server: EmbeddedPostgres
) -> None:
    (tmp_path / "service_password").write_text("pass'word")
    made = (COMPOSE / "roles.sql").read_text(encoding="utf-8")
    assert "/run/secrets/service_password" in made
    script = made.replace("/run/secrets/", f"{tmp_path}/").replace("recon_service", "recon_other")
    asked = "SELECT rolcanlogin, rolsuper, rolpassword LIKE 'SCRAM%' FROM pg_authid"
    ran = subprocess.run(  # noqa: S603 - our own words
        [
            packaged_binaries().bin("psql"),
            *("--no-psqlrc", "--tuples-only", "--no-align", "--quiet"),
            *("--set", "ON_ERROR_STOP=1", server.dsn_for("postgres")),
        ],
        # As the image reads it, from stdin; nothing stays.
        input=f"BEGIN;\n{script}\n{asked} WHERE rolname = 'recon_other';\nROLLBACK;\n",
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "t|f|t\n", "")


# --- kubernetes ----------------------------------------------------------------------------------


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(KUBERNETES.glob("*.yml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if document["kind"] != "Kustomization":
                yield f"{document['kind']} {document['metadata']['name']}", document


MANIFESTS = dict(manifests())
PODS = {
    name: manifest["spec"]["template"]
    for name, manifest in MANIFESTS.items()
    if "template" in manifest.get("spec", {})
}


def named(pods: dict[str, str]) -> set[str]:
    """Which pods labels select."""
    return {name for name, pod in PODS.items() if pods.items() <= pod["metadata"]["labels"].items()}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_is_as_kubernetes_has_it(name: str) -> None:
    kubernetes_validate.validate(MANIFESTS[name], VERSION, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_seen() -> None:
    wrong = json.loads(json.dumps(MANIFESTS["Deployment serve"]))
    wrong["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnly"] = True

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


def test_everything_there_is_is_applied() -> None:
    listed = yaml.safe_load((KUBERNETES / "kustomization.yml").read_text(encoding="utf-8"))

    files = {path.name for path in KUBERNETES.glob("*.yml")} - {"kustomization.yml"}
    assert set(listed["resources"]) == files
    assert set(MANIFESTS) == {
        *("Namespace recon", "ConfigMap recon", "ServiceAccount recon", "Service recon"),
        *("Deployment serve", "PodDisruptionBudget serve"),
        *("Deployment worker", "PodDisruptionBudget worker"),
        *("Job migrate", "NetworkPolicy recon"),
    }


@pytest.mark.parametrize("name", PODS)
def test_a_pod_may_do_nothing_that_it_need_not(name: str) -> None:
    pod = PODS[name]["spec"]
    (container,) = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"].keys() == {"memory"}
    # Secrets are files; none stands in a manifest or in an environment.
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
    assert all("secretRef" not in source for source in container["envFrom"])
    assert all("valueFrom" not in one for one in container.get("env", ()))
    assert volumes["secrets"]["secret"]["defaultMode"] == 0o440


@pytest.mark.parametrize("name", PODS)
def test_a_pod_runs_our_command_with_settings_that_can_be_used(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (container,) = PODS[name]["spec"]["containers"]
    context = command_of(container["args"])

    assert context.command.name == name.split()[1]
    if "port" in context.params:
        (port,) = container["ports"]
        assert context.params["port"] == port["containerPort"]
        assert context.params["host"] == "0.0.0.0"  # noqa: S104 - of the pod
    more = {one["name"]: one["value"] for one in container.get("env", ())}
    settled(MANIFESTS["ConfigMap recon"]["data"] | more, tmp_path, monkeypatch)


@pytest.mark.parametrize("name", ["Deployment serve", "Deployment worker"])
def test_a_deployment_is_looked_after_and_gives_way_slowly(name: str) -> None:
    manifest = MANIFESTS[name]
    pod = manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    paths = {kind: container[kind]["httpGet"]["path"] for kind in container if "Probe" in kind}
    assert paths == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    assert manifest["spec"]["replicas"] >= 2
    assert manifest["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    hook = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command")
    before = timedelta(seconds=int(hook[1]) if hook else 0)
    given = timedelta(seconds=pod["terminationGracePeriodSeconds"])
    assert given > before + Settings().ends_within
    assert named(manifest["spec"]["selector"]["matchLabels"]) == {name}
    budget = MANIFESTS[f"PodDisruptionBudget {name.split()[1]}"]["spec"]
    assert named(budget["selector"]["matchLabels"]) == {name}


def test_callers_reach_what_serves_and_the_network_is_closed_to_all_else() -> None:
    service, policy = MANIFESTS["Service recon"]["spec"], MANIFESTS["NetworkPolicy recon"]["spec"]
    ports = PODS["Deployment serve"]["spec"]["containers"][0]["ports"]

    assert named(service["selector"]) == {"Deployment serve"}
    assert service["ports"][0]["targetPort"] in {port["name"] for port in ports}
    assert named(policy["podSelector"]["matchLabels"]) == set(PODS)
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    opened = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    assert opened == {53, 443, 465, 587, 4317, 4318, 5432, 6432}
    # The pooler as we set it up is one of them, and Postgres' own port.
    pooler = (ROOT / "deploy" / "pgbouncer.ini").read_text(encoding="utf-8")
    assert {int(port) for port in re.findall(r"port ?= ?(\d+)", pooler)} <= opened


def test_no_secret_stands_in_what_is_shipped(compose: Any) -> None:  # noqa: ANN401 - any YAML
    for word in spoken([compose, *MANIFESTS.values()]):
        assert not re.search(r"whsec_|gk_live|://[^/@ ]+:[^/@ ]+@", word), word
