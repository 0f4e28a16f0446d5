"""Who is measured: the gateway, the floors below it and the peers beside it."""

import importlib.util
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import orjson

from bench.serving import Contender
from gateway.settings import Settings

DASHBOARD = (Path(__file__).parents[1] / "web" / "src" / "dashboard" / "dashboard.graphql").read_text("utf-8")
"""The page's own document. What no other server has is left out of it by `$surroundings`, which is false unless set."""
MONTH = {"period": "LAST_30_DAYS"}
VARIABLES = {
    "filters": MONTH,
    "campaignsFilters": MONTH,
    "heatmapFilters": MONTH,
    # As the document has them by default, which Mercurius' JIT does not heed.
    "heatmapMetric": "CALLS",
    "batchesOffset": 0,
    "surroundings": False,
}


def part(name: str, variables: str, sections: tuple[str, ...]) -> str:
    """The dashboard's document with some of its sections, as query `name` with these variables."""
    found = dict(re.findall(r"^  ((\w+)\(.*?^  })$", DASHBOARD, re.DOTALL | re.MULTILINE))
    texts = [text for text, section in found.items() if section in sections]
    return f"query {name}({variables}) {{\n  " + "\n  ".join(texts) + "\n}\n"


OVERVIEW = part("Overview", "$filters: ReportFilters!", ("overview",))
DAILY = part(
    "Daily",
    "$filters: ReportFilters!, $campaignsFilters: CampaignsFilters!, $batchesOffset: Int! = 0",
    ("overview", "timeseries", "funnel", "campaigns", "quality"),
)
"""The five sections that are answered from the daily rollup."""
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


def gateway(name: str = "gateway", bodies: Mapping[str, bytes] = GRAPHQL, **environment: str) -> Contender:
    """The gateway as it is deployed, in one process. By default no answer is used twice."""
    serve = (sys.executable, "-m", "gateway", "serve")
    return Contender(name, serve, bodies, environment={**QUIET, "REUSE": "off", **environment})


def _python(name: str, module: str, bodies: Mapping[str, bytes], path: str = "/", **environment: str) -> Contender:
    return Contender(name, (sys.executable, "-m", f"bench.servers.{module}"), bodies, path, environment=environment)


GATEWAY = gateway()
REUSING = gateway("gateway (reuse)", REUSE="on")
FIXED = Contender("fixed bytes", (sys.executable, "-m", "bench.servers.fixed"), GRAPHQL, shaped=None)
HANDLER = _python("handler", "handler", BY_HAND)
HANDLER_ROLLUPS = _python("handler, rollups", "handler", BY_HAND, HANDLER="rollups")
STRAWBERRY = _python("Strawberry", "plain_strawberry", GRAPHQL, "/graphql")
ARIADNE = _python("Ariadne", "plain_ariadne", GRAPHQL, "/graphql/")


def body(document: str, **variables: object) -> bytes:
    """A GraphQL request."""
    return orjson.dumps({"query": document, "variables": variables})


def contenders() -> list[Contender]:
    """Everyone who can be started here, the gateway first."""
    peers = [STRAWBERRY, *([ARIADNE] if importlib.util.find_spec("ariadne") else [])]
    reusing = [REUSING] if "reuse" in Settings.model_fields else []
    return [GATEWAY, *reusing, HANDLER, HANDLER_ROLLUPS, *peers]
