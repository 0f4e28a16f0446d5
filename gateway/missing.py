"""What is said where nothing is: what there is instead, and first what was probably looked for."""

import re
from collections.abc import Collection, Mapping

_HEALTH = "Whether the process lives is said at /livez, and whether it can answer at /readyz."
_GRAPHQL = "GraphQL is answered at /graphql."
_DESCRIBED = "REST is described at /openapi.json, and GraphQL's schema is at /schema.graphql where it is shown."
_METRICS = (
    "There are no metrics to scrape. What took how long is in the header Server-Timing of every answer and in the log; "
    "how the process is at /livez and /readyz."
)
_FUNCTIONS = (
    "No such function. The seven are dashboard-overview, -timeseries, -funnel, -campaigns, -quality, -heatmap and "
    "-objections, below /functions/v1/."
)
_REST = "There is GraphQL at /graphql and REST at /functions/v1/dashboard-overview and its siblings (/openapi.json)."

_MEANT: Mapping[str, Collection[str]] = {
    _FUNCTIONS: ("functions", "dashboard"),
    _GRAPHQL: ("graphql", "graphiql", "playground", "gql"),
    _METRICS: ("metrics", "prometheus"),
    _HEALTH: ("health", "live", "alive", "ready", "readi", "ping", "status", "heartbeat"),
    _DESCRIBED: ("openapi", "swagger", "docs", "redoc", "schema"),
}
"""What is said of paths in which a word begins so. The first that fits counts."""
_EXACT: Mapping[str, str] = {
    "/": f"The dashboard is not served here (DASHBOARD=off). {_REST}",
    "/schema.graphql": "The schema is not shown here: SDL=on, or INTROSPECTION=on, shows it.",
}


def words(path: str) -> str:
    """For people who asked for a path that is not there."""
    if said := _EXACT.get(path):
        return said
    path = path.lower()
    meant = (said for said, signs in _MEANT.items() if any(re.search(rf"(?<![a-z]){sign}", path) for sign in signs))
    return next(meant, f"Nothing is here. {_REST}")
