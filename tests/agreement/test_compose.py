"""compose.yaml: every setting reaches the containers, and the database is ready before anybody needs it."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from database.address import read_address
from gateway.settings import Settings

ROOT = Path(__file__).parent.parent.parent
OURS = ("migrate", "gateway", "worker")
DECIDED = {"HOST", "PORT", "DATABASE_URL"}


@pytest.fixture
def services() -> dict[str, Any]:
    """The file as docker compose reads it, but for what it puts in place of variables."""
    return yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]


@pytest.mark.parametrize("name", OURS)
def test_every_setting_reaches_the_containers(services: dict[str, Any], name: str) -> None:
    environment = services[name]["environment"]
    settings = {field.upper() for field in Settings.model_fields}
    assert settings == set(
        re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE)
    ) - {
        "POSTGRES_PASSWORD",
        "GATEWAY_PORT",
    }
    assert settings <= environment.keys()
    # A name without a value is handed on as it is set, and not at all where it is not.
    assert {setting for setting in settings if environment[setting] is not None} == DECIDED


@pytest.mark.parametrize("password", ["p@ss/w#rd?", "100%", "$a'b\"c\\", "plain", "ä:[]"])
def test_any_password_of_the_database_arrives(services: dict[str, Any], password: str) -> None:
    environment = services["gateway"]["environment"]
    variable = "${POSTGRES_PASSWORD:-only-on-this-network}"
    assert environment["PGPASSWORD"] == services["database"]["environment"]["POSTGRES_PASSWORD"] == variable
    url = re.fullmatch(r"\$\{DATABASE_URL:-(.*)\}", environment["DATABASE_URL"])
    assert url
    address = read_address(url[1], environment={"PGPASSWORD": password})
    assert unquote(urlsplit(address.servers[0].dsn).password or "") == password
    assert address.place == "database:5432"


def test_the_server_that_the_image_starts_for_a_moment_is_not_taken_for_the_database(services: dict[str, Any]) -> None:
    """It listens at its socket only, and is gone when the volume is set up."""
    asks = services["database"]["healthcheck"]["test"]
    assert asks[asks.index("--host") + 1] == "127.0.0.1"
    assert services["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    for name in ("gateway", "worker"):
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
