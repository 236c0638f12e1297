"""docker-compose.yml, the Dockerfile and Prometheus' configuration, held against the code they are about."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import click
import pytest
from ruamel.yaml import YAML

from harness.api.options import RunOptions
from harness.cli import cli
from harness.cli.run import with_target_from
from harness.plan.locustfiles import find_locustfiles
from harness.plan.profile import load_profile
from harness.shop import payment
from harness.shop import process as shop
from harness.shop.settings import PaymentSettings, ShopSettings
from tests.support.command import REPOSITORY
from tests.support.compose import FILE, dockerfile, read_file, read_services

SERVICES = read_services()
OURS = {name: service for name, service in SERVICES.items() if service.is_ours}
PINNED = re.compile(r"(postgres:\d+\.\d+|[a-z/]+:v?\d+\.\d+\.\d+)(-[a-z0-9.]+)*")
"""PostgreSQL's versions have two parts."""
IN_THE_IMAGE = "/work/"


def parsed(words: list[str]) -> click.Context:
    """``harness WORDS`` as the command line takes it, without doing it."""
    name, *rest = words
    command = cli.get_command(click.Context(cli), name)
    assert command is not None, name
    return command.make_context(name, rest)


@pytest.mark.slow
def test_it_is_a_compose_file() -> None:
    schema = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    checked = subprocess.run(schema, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_nothing_comes_in_a_version_that_may_change() -> None:
    images = [service.written["image"] for service in SERVICES.values()]
    bases = [line.split()[1] for line in dockerfile() if line.startswith("FROM")]
    for image in (*images, *bases):
        assert PINNED.fullmatch(image), image
    assert len(set(bases)) == 1
    own = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert {service.written["image"] for service in OURS.values()} == {f"harness:{own}"}
    assert re.search(r"pip install \S+ uv==\d+\.\d+\.\d+$", "\n".join(dockerfile()), re.MULTILINE)
    pins = tomllib.loads((REPOSITORY / "uv.toml").read_text())
    for pin in pins["constraint-dependencies"] + pins["build-constraint-dependencies"]:
        assert re.match(r"[\w-]+==[\w.]+( ;|$)", pin), pin


def test_the_image_is_made_of_what_is_there_by_nobody_in_particular() -> None:
    lines = dockerfile()
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    for line in lines:
        if line.startswith("COPY") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (REPOSITORY / source).exists(), line
                assert f"!{source}" in ignored, f"{source} is kept out of the build by .dockerignore"
    assert [line for line in lines if line.startswith("USER")] == ["USER 1000:1000"]
    (folder,) = re.findall(r"UV_PROJECT_ENVIRONMENT=(\S+)", "\n".join(lines))
    assert f"COPY --from=build {folder} {folder}" in lines
    (given,) = re.findall(r"os.setxattr\('(.*?)'", "\n".join(lines))
    assert given == f"{folder}/bin/py-spy"
    assert Path(sys.executable).with_name("py-spy").exists()
    needed = set(tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    for line in lines:
        assert set(re.findall(r"--extra (\S+)", line)) <= needed


def harness_commands() -> Iterator[tuple[str, list[str]]]:
    """All that the file and the README have the image's entrypoint do."""
    for service in OURS.values():
        if service.harness_words:
            yield service.name, service.harness_words
    for name in ("docker-compose.yml", "README.md", "docs/containers.md"):
        for found in re.findall(
            r"docker compose .*?run .*?harness (run .*?)(?:  |$)", (REPOSITORY / name).read_text(), re.M
        ):
            yield name, shlex.split(found, comments=True)


@pytest.mark.parametrize(("where", "words"), list(harness_commands()))
def test_every_command_is_one_of_the_command_line(where: str, words: list[str]) -> None:
    given = parsed(words).params
    if words[0] == "run":
        assert find_locustfiles(REPOSITORY / given["scenario"]).files, where
        load_profile(given["profile"], scenario=given["scenario"])
    if given["secret_file"] is not None:
        secrets = SERVICES[where].written["secrets"]
        assert str(given["secret_file"]) in {f"/run/secrets/{secret}" for secret in secrets}


@pytest.mark.parametrize(("name", "program"), [("shop", shop), ("payment", payment)])
def test_shop_and_vendor_understand_their_commands(name: str, program: ModuleType) -> None:
    python, dash_m, module, *words = SERVICES[name].words
    assert [python, dash_m, module] == ["python", "-m", program.__name__.removesuffix(".process")]
    # Within a container, "this machine" is the container.
    assert program.command_line().parse_args(words).host == "0.0.0.0"


def test_the_target_that_the_harness_is_given_is_the_shop() -> None:
    for name in ("harness", "master"):
        service = SERVICES[name]
        given = with_target_from(service.environment, RunOptions("scenario.py"))
        assert given.host == "http://shop:8000"
        assert given.allow_host == ("shop",)
        # py-spy sees the shop's processes, whose first is number 1, and may look into them.
        assert (service.written["pid"], given.pid) == ("service:shop", 1)
        assert service.written["cap_add"] == ["SYS_PTRACE"]
        assert "init" not in SERVICES["shop"].written
    sampling = {name for name, service in SERVICES.items() if service.written.get("cap_add")}
    assert sampling == {"harness", "master"}


def test_every_variable_is_read_by_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    read = {"HARNESS_HOST", "HARNESS_PID", "HARNESS_ALLOW_HOST"}
    for service in OURS.values():
        if service.harness_words is not None:
            run = parsed(["run", "scenario.py"]).command
            options = {str(option.envvar) for option in run.params if option.envvar}
            assert set(service.environment) <= read | options, service.name
        else:
            seen = _Noted(service.environment)
            settings = PaymentSettings if service.words[2] == "harness.shop.payment" else ShopSettings
            settings.from_environment(seen)
            assert set(service.environment) <= seen.asked, service.name
    port = SERVICES["master"].environment["HARNESS_METRICS_PORT"]
    monkeypatch.setenv("HARNESS_METRICS_PORT", port)
    assert parsed(["run", "scenario.py"]).params["metrics_port"] == port


class _Noted(dict[str, str]):
    """Variables that know which were asked for."""

    def __init__(self, variables: dict[str, str]) -> None:
        super().__init__(variables)
        self.asked: set[str] = set()

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]  # of text alone
        self.asked.add(key)
        return super().get(key, default)


def listens_on() -> dict[str, set[int]]:
    """By service: the ports that its command has it listen on."""
    found: dict[str, set[int]] = {"postgres": {5432}, "redis": {6379}, "prometheus": {9090}}
    for service in OURS.values():
        ports = {int(port) for port in re.findall(r"--port (\d+)", " ".join(service.words))}
        metrics = service.environment.get("HARNESS_METRICS_PORT")
        found[service.name] = ports | ({int(metrics.rpartition(":")[2])} if metrics else set())
    return found


def test_who_is_asked_listens_there_on_a_network_of_both() -> None:
    listening = listens_on()
    for service in OURS.values():
        for name, value in service.environment.items():
            url = urlsplit(value)
            if url.hostname and url.hostname in SERVICES:
                assert url.port in listening[url.hostname], name
                assert set(service.written["networks"]) & set(SERVICES[url.hostname].written["networks"]), name
        for asked, port in re.findall(r"127\.0\.0\.1[:/](\d+)()", str(service.written.get("healthcheck", ""))):
            assert int(asked) in listening[service.name], (service.name, port)
    for service in SERVICES.values():
        for port in service.written.get("ports", []):
            host, _, inside = port.rpartition(":")
            assert host.startswith("127.0.0.1:"), "published beyond this machine"
            assert int(inside) in listening[service.name]
    scraped = YAML(typ="safe", pure=True).load((REPOSITORY / "docker" / "prometheus.yml").read_text())["scrape_configs"]
    for job in scraped:
        for target in job["static_configs"][0]["targets"]:
            name, _, port = target.rpartition(":")
            assert int(port) in listening[name]
            assert set(SERVICES["prometheus"].written["networks"]) & set(SERVICES[name].written["networks"])


def test_paths_of_this_machine_are_there_and_lie_where_the_image_looks() -> None:
    for service in SERVICES.values():
        for volume in service.written.get("volumes", []):
            here, there, *_ = volume.split(":")
            if here.startswith("."):
                assert (REPOSITORY / here).exists(), volume
                assert not service.is_ours or there == IN_THE_IMAGE + here.removeprefix("./"), volume
            else:
                assert here in read_file()["volumes"]
    assert "WORKDIR /work" in dockerfile()
    assert "./reports:/work/reports" in SERVICES["harness"].written["volumes"]


def test_a_service_waits_until_those_it_needs_are_healthy() -> None:
    for service in SERVICES.values():
        for name, how in service.written.get("depends_on", {}).items():
            if name == "worker":
                assert how == {"condition": "service_started"}, "it is well when it has joined its master"
            else:
                assert how == {"condition": "service_healthy"}
                assert "healthcheck" in SERVICES[name].written
            # docker compose starts what a service needs only where a profile of that is on, too
            assert set(service.written["profiles"]) <= set(SERVICES[name].written["profiles"])


def test_who_leads_the_run_is_stopped_first() -> None:
    """Compose stops who needs others before those: a master that is stopped after its workers says they were lost."""
    for name in ("shop", "worker"):
        assert name in SERVICES["master"].written["depends_on"]
    assert "master" not in SERVICES["worker"].written["depends_on"]
    waits = SERVICES["worker"].words[2]
    for name in re.findall(r"getent hosts (\S+)", waits):
        assert f"--master={name}" in SERVICES["worker"].words
        assert set(SERVICES[name].written["networks"]) & set(SERVICES["worker"].written["networks"])


def test_no_registry_is_asked_for_our_own_image() -> None:
    assert {service.written.get("pull_policy") for service in OURS.values()} == {"never"}


def documented() -> Iterator[tuple[str, set[str], str, str]]:
    """Of each ``docker compose`` in the documents: where, profiles, command with options, service."""
    form = re.compile(r"docker compose((?: --profile \w+)*) ((?:build|run|stop|up|down)(?: --?[a-z-]+)*)(?: (\w+))?")
    for name in ("README.md", "docs/containers.md"):
        for options, command, service in form.findall((REPOSITORY / name).read_text()):
            yield name, set(options.split()[1::2]), command, service


def test_commands_in_the_docs_name_what_the_file_has() -> None:
    reported = list(documented())
    assert {name for name, *_ in reported} == {"README.md", "docs/containers.md"}
    for name, profiles, command, service in reported:
        known = {profile for each in SERVICES.values() for profile in each.written["profiles"]}
        assert profiles <= known | {"NAME"}, name
        # Every service has profiles: without one of them, and without a service named, Compose does nothing at all.
        assert profiles or service in SERVICES, (name, command)
        # A master that `run` starts has the name that workers look for only so.
        assert service != "master" or "--use-aliases" in command, name
        # All would end with the first that does, which is a worker: the report is cut short and the exit code 130.
        assert not re.search("--exit-code-from|--abort-on", command), name


def test_no_secret_is_in_the_file() -> None:
    (secret,) = read_file()["secrets"].values()
    assert secret == {"file": "./docker/secret"}
    assert "docker/secret" in (REPOSITORY / ".gitignore").read_text().splitlines()
    for service in SERVICES.values():
        assert not {name for name in service.environment if re.search("PASSWORD|SECRET|TOKEN", name)}, service.name
        for value in service.environment.values():
            assert "://" not in value or urlsplit(value).password is None
