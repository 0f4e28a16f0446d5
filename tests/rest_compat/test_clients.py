"""Programs that others wrote, made from /openapi.json: linters have nothing to say, clients call everything and are
answered."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from tests import npm
from tests.conftest import Postgres
from tests.doors import REPORTS, House, furnished
from tests.given import token
from tests.missing import cannot
from tests.npm import Packages

FOLDER = Path(__file__).parent / "clients"


@pytest.fixture(scope="module")
def packages() -> Packages:
    """The two linters, and what makes a client in TypeScript."""
    return npm.installed(FOLDER)


@pytest.fixture(scope="module")
async def house(server: Postgres) -> AsyncIterator[House]:
    """With something to find for every parameter."""
    async with furnished(server) as house:
        given = house.given
        said = {"objections": [{"text": "Price", "handled": True, "quote": "…"}]}
        for number in range(3):
            client = await given.client(house.agency)
            campaign = await given.campaign(house.agency, client)
            await given.calls(house.agency, number + 1, campaign_id=campaign, client_id=client, talk_ratio=0.5, **said)
            await given.batch(house.agency, campaign, {"completed": 2, "pending": 1})
        yield house


@pytest.fixture
async def whose(house: House) -> tuple[str, str]:
    """A campaign and its client."""
    row = await house.given.connection.fetchrow("select id, client_id from campaigns order by id limit 1")
    return str(row["id"]), str(row["client_id"])


@pytest.fixture(scope="module")
async def document(house: House, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it is served, in a file."""
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_bytes((await house.gateway.http.get("/openapi.json")).content)
    return path


def test_what_is_installed_is_pinned_and_names_no_registry() -> None:
    npm.assert_pinned(FOLDER)
    pins = (FOLDER / "requirements.txt").read_text("utf-8").splitlines()
    assert all(re.match(r"[\w-]+==[\w.]+( ;|$)", pin) for pin in pins)


def test_spectral_finds_nothing(packages: Packages, document: Path) -> None:
    arguments = ("lint", document, "--ruleset", FOLDER / ".spectral.yaml", "--fail-severity", "hint")
    linted = packages.run("@stoplight/spectral-cli/dist/index.js", *arguments)
    assert linted.returncode == 0, linted.stdout
    assert "No results" in linted.stdout


def test_redocly_finds_nothing(packages: Packages, document: Path) -> None:
    linted = packages.run("@redocly/cli/bin/cli.js", "lint", document, "--extends", "recommended-strict")
    assert linted.returncode == 0, linted.stdout
    assert "is valid" in linted.stdout


async def in_python(*command: str | Path) -> tuple[int | None, str]:
    """What becomes of a program in the Python client's own environment, which uv makes, and keeps for the next time."""
    uv = [find_uv_bin(), "run", "--quiet", "--no-project", "--no-python-downloads"]
    environment = ["--python", f"{sys.base_prefix}/bin/python3", "--with-requirements", FOLDER / "requirements.txt"]
    process = await asyncio.create_subprocess_exec(
        *uv, *environment, "--", *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode()


@pytest.fixture
async def rest_client(document: Path, tmp_path: Path) -> Path:
    """The folder of a package `rest_client`, made from the document."""
    status, out = await in_python("openapi-python-client", "--version")
    if status:
        cannot(f"the Python client's packages cannot be had: {out}")
    config = tmp_path / "config.yaml"
    config.write_text("post_hooks: []")
    made = ("--path", document, "--output-path", tmp_path / "rest_client", "--meta", "none", "--config", config)
    status, out = await in_python("openapi-python-client", "generate", *made, "--fail-on-warning")
    assert status == 0, out
    return tmp_path


async def test_a_client_in_python_calls_everything_with_every_parameter(
    house: House, document: Path, whose: tuple[str, str], rest_client: Path
) -> None:
    address = str(house.gateway.http.base_url)
    arguments = (rest_client, address, token(house.owner), *whose)
    status, out = await in_python("python", FOLDER / "call_everything.py", *arguments)
    assert status == 0, out
    *calls, refused = [json.loads(line) for line in out.splitlines()]
    assert refused == {"operation": "refused", "status": 401, "answer": {"error": "The access token is not valid"}}

    paths = json.loads(document.read_text())["paths"]
    documented = {
        operation["operationId"]: {parameter_name(parameter) for parameter in path["parameters"]}
        for path in paths.values()
        for operation in (path["get"], path["head"])
    }
    called: dict[str, set[str]] = {}
    for call in calls:
        called.setdefault(call["operation"], set()).update(call["arguments"])
    assert called == documented

    for call in calls:
        _, report, *head = call["operation"].split("_")
        params = {
            name: value for name, value in call["arguments"].items() if name not in ("if_none_match", "x_request_id")
        }
        assert call["answer"] == (None if head else await house.rest(report, **params))
    days = [call["answer"]["data"][0] for call in calls if "metrics" in call["arguments"] and call["answer"]]
    assert {len(day) for day in days} == {2, 34}


def parameter_name(parameter: dict[str, str]) -> str:
    """As Python spells it."""
    return (parameter.get("name") or parameter["$ref"].rpartition("/")[2]).replace("-", "_").lower()


async def test_a_client_in_typescript_calls_everything_with_every_parameter(
    packages: Packages, house: House, document: Path, whose: tuple[str, str], tmp_path: Path
) -> None:
    for source in ("call_everything.ts", "tsconfig.json"):
        (tmp_path / source).write_bytes((FOLDER / source).read_bytes())
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(FOLDER / "node_modules")
    made = packages.run("openapi-typescript/bin/cli.js", document, "--output", tmp_path / "api.d.ts")
    assert made.returncode == 0, made.stdout
    compiled = packages.run("typescript/bin/tsc", "--project", tmp_path)
    assert compiled.returncode == 0, compiled.stdout
    script = tmp_path / "call_everything.js"
    arguments = (str(house.gateway.http.base_url), token(house.owner), *whose)
    ran = await asyncio.to_thread(packages.run, str(script), *arguments)
    assert ran.returncode == 0, ran.stdout

    custom = {"period": "custom", "start_date": "2026-02-01", "end_date": "2026-02-16"}
    narrowed = dict(zip(("campaign_id", "client_id"), whose, strict=True))
    asked: dict[str, dict[str, Any]] = {report: {**custom, **narrowed} for report in REPORTS}
    asked["timeseries"]["metrics"] = "avg_talk_ratio,sms_sent"
    asked["campaigns"] |= {"status": "processing", "limit": 5, "offset": 0}
    asked["heatmap"] = {**narrowed, "period": "90d", "metric": "connected"}
    asked["objections"]["limit"] = 3
    expected = {report: await house.rest(report, **params) for report, params in asked.items()}
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [each["how"] for each in told] == ["repeated", "separated"]
    for each in told:
        assert each["answers"] == {
            report: {"status": 200, "id": f"typescript.{each['how']}", "data": answer}
            for report, answer in expected.items()
        }
        assert each["picked"] == {
            "total": expected["overview"]["summary"]["total_calls"],
            "state": "processing",
            "best": expected["heatmap"]["best_times"][0]["label"],
        }


async def test_schemathesis_finds_no_answer_that_the_document_does_not_have(house: House, tmp_path: Path) -> None:
    """Bodies, media types, headers and statuses, with all kinds of good and bad parameters, and without a token.

    It is not asked about two things that a schema cannot say: that dates are needed with `period=custom`, and that what
    is empty, or not read, may be anything.
    """
    lenient = "negative_data_rejection,positive_data_acceptance"
    checks = ("--checks", "all", "--exclude-checks", lenient, "--phases", "examples,coverage,fuzzing")
    headers = ("-H", f"Authorization: Bearer {token(house.owner)}")
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"), "run", f"{house.gateway.http.base_url}/openapi.json",
        *headers, *checks, "--max-examples", "10", "--seed", "1", "--no-color",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=tmp_path,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    assert "Tested: 14" in out.decode()
