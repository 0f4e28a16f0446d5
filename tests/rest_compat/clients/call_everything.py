"""Calls every operation of a client that openapi-python-client made, with every parameter, and prints what came back.

It runs apart from the gateway, among the client's own packages: `call_everything.py FOLDER ADDRESS TOKEN CAMPAIGN
CLIENT`, with the generated package `rest_client` in the folder. A line a call: operation, arguments and parsed answer.
"""

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from enum import Enum
from types import ModuleType
from typing import Any, get_args, get_type_hints
from uuid import UUID

folder, address, token, campaign, client_of = sys.argv[1:]
sys.path.insert(0, folder)
rest_client = importlib.import_module("rest_client")
reports = importlib.import_module("rest_client.api.reports")

FIRST, LAST = date(2026, 2, 1), date(2026, 2, 16)
VALUES: Mapping[str, list[Any]] = {
    "start_date": [FIRST],
    "end_date": [LAST],
    "campaign_id": [UUID(campaign)],
    "client_id": [UUID(client_of)],
    "limit": [1, 10**6],
    "offset": [0, 1],
    "if_none_match": ['"another"'],
    "x_request_id": ["a-client.1"],
}
"""What parameters are set to that name no choices of their own. A new one has to be added here."""


def values_of(name: str, hint: Any) -> list[Any]:
    """What a parameter is set to, in turn: all its choices, for a list each alone and all together."""
    for kind in get_args(hint):
        if isinstance(kind, type) and issubclass(kind, Enum):
            return list(kind)
        if (inner := get_args(kind)) and issubclass(inner[0], Enum):
            return [*([member] for member in inner[0]), list(inner[0])]
    return VALUES[name]


def asked(operation: ModuleType) -> Iterator[dict[str, Any]]:
    """Nothing, each value of each parameter alone, and all parameters at once."""
    hints = {
        name: hint for name, hint in get_type_hints(operation.sync_detailed).items() if name not in ("client", "return")
    }
    parameters = {name: values_of(name, hint) for name, hint in hints.items()}
    dates = {name: parameters.pop(name)[0] for name in ("start_date", "end_date") if name in parameters}
    yield {}
    for name, values in parameters.items():
        for value in values:
            yield {name: value, **(dates if value == "custom" else {})}
    yield {name: values[-1] for name, values in parameters.items()} | dates


def plain(value: Any) -> Any:
    """What a client makes of JSON, as JSON, with moments as the gateway writes them."""
    return json.loads(json.dumps(value, default=str).replace('+00:00"', 'Z"'))


def tell(**said: Any) -> None:
    """Prints a line."""
    sys.stdout.write(json.dumps(said) + "\n")


with rest_client.AuthenticatedClient(base_url=address, token=token) as client:
    for found in pkgutil.iter_modules(reports.__path__):
        operation = importlib.import_module(f"{reports.__name__}.{found.name}")
        for arguments in asked(operation):
            response = operation.sync_detailed(client=client, **arguments)
            parsed = plain(response.parsed.to_dict()) if response.parsed is not None else None
            if response.status_code != 200 or parsed != (json.loads(response.content) if response.content else None):
                sys.exit(f"{found.name} {arguments}: {response.status_code} {response.content!r}")
            etag = response.headers["etag"]
            again = operation.sync_detailed(client=client, **{**arguments, "if_none_match": etag})
            if (again.status_code, again.content, again.headers["etag"]) != (304, b"", etag):
                sys.exit(f"{found.name} {arguments}: {again.status_code}, though it has {etag}")
            tell(operation=found.name, arguments=plain(arguments), answer=parsed)

stranger = rest_client.AuthenticatedClient(base_url=address, token="nobody's")
refused = importlib.import_module(f"{reports.__name__}.dashboard_overview").sync_detailed(client=stranger)
tell(operation="refused", status=refused.status_code, answer=plain(refused.parsed.to_dict()))
