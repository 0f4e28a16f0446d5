"""Who is measured: the gateway, the floors below it and the peers beside it."""

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path

import orjson

from bench.serving import Contender

DASHBOARD = (Path(__file__).parent / "dashboard.graphql").read_text("utf-8")
MONTH = {"period": "LAST_30_DAYS"}
VARIABLES = {"filters": MONTH, "campaignsFilters": MONTH, "heatmapFilters": MONTH}


def _overview_alone() -> str:
    """The dashboard's document with its first section only."""
    head, _, rest = DASHBOARD.partition("overview(filters: $filters) {")
    section, _, _ = rest.partition("\n  timeseries(")
    name = head.rpartition("query")[0]
    return f"{name}query Overview($filters: ReportFilters!) {{\n  overview(filters: $filters) {{{section}\n}}\n"


OVERVIEW = _overview_alone()
GRAPHQL: Mapping[str, bytes] = {
    "full": orjson.dumps({"query": DASHBOARD, "variables": VARIABLES}),
    "overview": orjson.dumps({"query": OVERVIEW, "variables": {"filters": MONTH}}),
}
"""The bodies for whoever answers the gateway's own documents."""
SECTIONS = ("overview", "timeseries", "funnel", "campaigns", "quality", "heatmap", "objections")
BY_HAND: Mapping[str, bytes] = {
    "full": orjson.dumps({"sections": SECTIONS, "period": "LAST_30_DAYS"}),
    "overview": orjson.dumps({"sections": ["overview"], "period": "LAST_30_DAYS"}),
}
QUIET = {"LOG_LEVEL": "warning", "RATE_LIMIT": "off"}
"""No contender logs requests or limits rates."""


def gateway(name: str = "gateway", **environment: str) -> Contender:
    """The gateway as it is deployed, in one process. By default no answer is used twice."""
    serve = (sys.executable, "-m", "gateway", "serve")
    return Contender(name, serve, GRAPHQL, environment={**QUIET, "REUSE": "off", **environment})


def _python(name: str, module: str, bodies: Mapping[str, bytes], path: str = "/", **environment: str) -> Contender:
    return Contender(name, (sys.executable, "-m", f"bench.servers.{module}"), bodies, path, environment=environment)


GATEWAY = gateway()
REUSING = gateway("gateway (reuse)", REUSE="on")
FIXED = Contender("fixed bytes", (sys.executable, "-m", "bench.servers.fixed"), GRAPHQL, shaped=None)
HANDLER = _python("handler", "handler", BY_HAND)
HANDLER_ROLLUPS = _python("handler, rollups", "handler", BY_HAND, HANDLER="rollups")
STRAWBERRY = _python("Strawberry", "plain_strawberry", GRAPHQL, "/graphql")
ARIADNE = _python("Ariadne", "plain_ariadne", GRAPHQL, "/graphql/")


def contenders() -> list[Contender]:
    """Everyone who can be started here, the gateway first."""
    peers = [STRAWBERRY, *([ARIADNE] if importlib.util.find_spec("ariadne") else [])]
    return [GATEWAY, HANDLER, HANDLER_ROLLUPS, *peers]
