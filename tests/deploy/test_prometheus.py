"""The alert rules fire when they should, speak of numbers that exist, and lead to the runbook."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
import yaml
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from recon.alerts.model import AlertType
from recon.app import build_app
from recon.cli import recon
from recon.db import open_pool
from recon.db.replica import open_replica
from recon.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
TESTS = [ROOT / "deploy" / "prometheus" / f"alerts.{name}.yml" for name in ("test", "long.test")]
DASHBOARD = ROOT / "deploy" / "grafana" / "recon.json"
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
}
SCRAPED = {"instance", "job", "process"}
"""Labels that Prometheus puts to whatever it scrapes, and the number of a process behind a port."""


def promtool(*arguments: str | Path) -> str:
    program = shutil.which("promtool")
    if program is None:
        assert os.environ.get("CI") != "true", "promtool is missing: run tests/install-programs"
        pytest.skip("promtool is not installed: run tests/install-programs as root")
    ran = subprocess.run(  # noqa: S603 - our own words
        [program, *arguments], check=False, capture_output=True, text=True, timeout=500
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def expressions() -> Iterator[tuple[str, str]]:
    """Everything that is asked of Prometheus: by which alert or panel, and what."""
    for name, rule in ALERTS.items():
        yield name, rule["expr"]
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$instance", ".*")


def names_in(expression: str) -> set[str]:
    """The names of metrics in an expression."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    return set(re.findall(r"\b(?:recon|process|python)_[a-z0-9_]+\b", bare))


def labels_in(expression: str) -> set[str]:
    """The names of labels that an expression selects or groups by."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    selected = re.findall(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*""', bare)
    grouped = re.findall(r"\b(?:by|on|without|ignoring) \(([^)]*)\)", bare)
    return {*selected, *(name.strip() for group in grouped for name in group.split(",") if name)}


async def scrape(database_url: str) -> dict[str, set[str]]:
    """Each name of a sample at the real `/metrics`, with the labels that it may have."""
    settings = Settings.model_validate(
        {"game_url": "http://127.0.0.1:1", "game_api_key": "gk_sandbox_key_of_the_tests"}
    )
    app = build_app(settings, database_url, jobs=False)
    async with (
        TestClient(TestServer(app, host="127.0.0.1")) as client,
        client.get("/metrics") as answer,
    ):
        text = await answer.text()
    declared = {
        family.name: set(collector._labelnames)  # noqa: SLF001 - a sample may not be there yet
        for collector in [*REGISTRY._collector_to_names]  # noqa: SLF001 - the library's own list
        if isinstance(collector, MetricWrapperBase)
        for family in collector.describe()
    }
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        name = family.name.removesuffix("_total")
        labels = declared.get(name, set())
        suffixes = {
            "counter": ("_total",),
            "histogram": ("_bucket", "_sum", "_count"),
        }.get(family.type, ("",))
        for suffix in suffixes:
            more = {"le"} if suffix == "_bucket" else set()
            found[name + suffix] = labels | more | SCRAPED
    return found


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    promtool("test", "rules", *TESTS)


async def test_the_pool_whose_failures_wake_nobody_is_the_replicas() -> None:
    (left_out,) = re.findall(r'pool!="([^"]+)"', ALERTS["ReconDatabaseWaits"]["expr"])
    nowhere = "postgresql://127.0.0.1:1/none"

    async with (
        open_pool(nowhere, max_size=1, lazy=True) as primary,
        open_replica(nowhere, primary, max_size=3, at_most=timedelta(seconds=1)),
    ):
        assert REGISTRY.get_sample_value("recon_db_pool_max_connections", {"pool": left_out}) == 3


@pytest.mark.parametrize("name", ["prometheus.yml", "kubernetes.yml"])
def test_rules_and_scraping_can_be_loaded(name: str, tmp_path: Path) -> None:
    config = yaml.safe_load(RULES.with_name(name).read_text(encoding="utf-8"))
    (job,) = config["scrape_configs"]
    # Debian's promtool is built without it; what is in it, the next test looks at.
    job.pop("kubernetes_sd_configs", None)
    (tmp_path / "alerts.yml").write_bytes(RULES.read_bytes())
    (tmp_path / name).write_text(yaml.safe_dump(config))

    promtool("check", "config", tmp_path / name)
    # By this name the rules know whether anything is there at all.
    for alert in ("ReconDown", "ReconGone"):
        assert f'up{{job="{job["job_name"]}"}}' in ALERTS[alert]["expr"]


def test_in_kubernetes_the_pods_that_are_looked_for_are_ours_by_label_and_port() -> None:
    (job,) = yaml.safe_load(RULES.with_name("kubernetes.yml").read_text())["scrape_configs"]
    wanted = {one["source_labels"][0]: one.get("regex") for one in job["relabel_configs"]}
    found = []
    for path in sorted((ROOT / "deploy" / "kubernetes").glob("*.yml")):
        for one in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if one["kind"] != "Deployment":
                continue
            template = one["spec"]["template"]
            labels = template["metadata"]["labels"]
            ports = [
                port["name"] for box in template["spec"]["containers"] for port in box["ports"]
            ]
            assert (
                labels["app.kubernetes.io/name"]
                == wanted["__meta_kubernetes_pod_label_app_kubernetes_io_name"]
            )
            assert ports == [wanted["__meta_kubernetes_pod_container_port_name"]]
            found.append(one["metadata"]["name"])

    assert found == ["serve", "worker"]
    assert job["kubernetes_sd_configs"] == [{"role": "pod", "namespaces": {"names": ["recon"]}}]


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_case_in_which_it_fires(name: str) -> None:
    written = "".join(path.read_text(encoding="utf-8") for path in TESTS)

    assert f"""labels: '{{alertname="{name}"}}'""" in written


async def test_every_alert_and_every_panel_asks_for_numbers_that_there_are(
    database_url: str,
) -> None:
    there = await scrape(database_url)

    wrong = []
    for asked_by, expression in expressions():
        names = names_in(expression)
        wrong += [f"{asked_by}: no {name}" for name in sorted(names - there.keys())]
        known = {label for name in names & there.keys() for label in there[name]}
        if names:
            wrong += [f"{asked_by}: no {one}" for one in sorted(labels_in(expression) - known)]
    assert wrong == []
    # `up` is Prometheus' own; everything else is ours.
    assert [name for name, said in expressions() if not names_in(said)] == [
        "ReconDown",
        "ReconGone",
    ]


def test_no_panel_of_the_dashboard_lies_over_another() -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    fields = [
        (x, y)
        for panel in panels
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(fields)) == len(fields)
    assert max(x for x, _ in fields) == 23
    # Each says in what it counts, and its lines are told apart.
    for panel in panels:
        for target in panel.get("targets", ()):
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
            assert len(panel["targets"]) == 1 or target["legendFormat"], panel["title"]


def test_every_panel_of_the_dashboard_is_well_formed(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:number_{place}", "expr": said}
        for place, (_, said) in enumerate(expressions())
    ]
    written = tmp_path / "panels.yml"
    written.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    promtool("check", "rules", written)


# --- the runbook ---------------------------------------------------------------------------------

SECTIONS = dict(re.findall(r"^### (\S+)\n(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))


def slug(heading: str) -> str:
    """As the pages that show Markdown name a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_each_alert_and_each_message_has_its_section_and_there_is_no_other() -> None:
    assert set(SECTIONS) == {*ALERTS, *(str(kind) for kind in AlertType)}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_leads_to_its_section_which_says_what_to_do(name: str) -> None:
    rule: dict[str, Any] = ALERTS[name]

    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{slug(name)}"
    assert rule["labels"]["severity"] in {"page", "ticket"}
    for part in ("**Means.**", "**See.**", "**Do.**", "**Don't.**"):
        assert part in SECTIONS[name], part


def test_every_link_within_the_runbook_leads_somewhere() -> None:
    headings = {slug(heading) for heading in re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)}

    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= headings
    for path in re.findall(r"\]\(([^)#]+)\)", RUNBOOK):
        assert (ROOT / "docs" / path).exists(), path


def commands() -> list[str]:
    spoken = re.findall(r"`(recon [^`]+)`", RUNBOOK)
    fenced = re.findall(r"^(recon [^#\n]+)", RUNBOOK, re.MULTILINE)
    return sorted({" ".join(said.split()) for said in (*spoken, *fenced)})


@pytest.mark.parametrize("said", commands())
def test_a_command_of_the_runbook_is_one_of_ours(said: str) -> None:
    words = said.split()[1:]
    command: click.Command = recon
    with click.Context(recon) as ctx:
        while isinstance(command, click.Group):
            found = command.get_command(ctx, words.pop(0))
            assert found is not None, said
            command = found
    known = {
        option
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert {word for word in words if word.startswith("--")} <= known | {"--help"}
