"""Whether databases, issuers and the address listened to are all a developer's own machine: a secret that everybody
knows does no harm there."""

import ipaddress
import re

from database.address import Address

SUPABASE_CLI_PORT = 54322
"""Where the Supabase CLI publishes its database."""
# What the CLI calls its containers, and what they are called by within its network.
_SUPABASE_CLI_CONTAINER = re.compile(r"supabase_(db|pooler|kong)_[\w-]+|(db|pooler|api)\.supabase\.internal")


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine gets there: a loopback address or name, or a socket's folder."""
    host = host.strip("[]").lower().removesuffix(".")
    if host.startswith("/") or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_supabase_cli_container(host: str) -> bool:
    """Whether a container of the Supabase CLI has this name."""
    return _SUPABASE_CLI_CONTAINER.fullmatch(host.lower()) is not None


def is_a_developers_own(databases: list[Address], issuers: list[str], listens_on: str) -> bool:
    """Whether databases and issuers are this machine's and nobody else's, and nobody else is listened to.

    From a container of its own a gateway has to listen to others: then the database must be the CLI's for sure. That
    it is on loopback says nothing there, as proxies of databases in production are beside many a container.
    """
    servers = [server for each in databases for server in each.servers]
    from_container = all(
        is_supabase_cli_container(each.host) or (each.host, each.port) == ("host.docker.internal", SUPABASE_CLI_PORT)
        for each in servers
    )
    local_issuers = all(
        is_loopback(each) or is_supabase_cli_container(each) or each == "host.docker.internal" for each in issuers
    )
    return local_issuers and (
        from_container or (is_loopback(listens_on) and all(is_loopback(each.host) for each in servers))
    )
