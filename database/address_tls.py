"""How a connection is encrypted, as an address has it; what needs a file is tried before anybody connects."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from database.address_parameters import FALSE, TRUE, AddressError

_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_VARIABLES = {
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
}
_SYSTEMS = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_TRUST = "write sslrootcert=FILE, or sslrootcert=system for the authorities that this machine trusts"


def encryption(kept: Mapping[str, str], environment: Mapping[str, str], *, over_network: bool) -> dict[str, str]:
    """The parameters of encryption as asyncpg takes them, none of which is then left to a PG… variable.

    Raises:
        AddressError: one of them, or one of those variables, cannot be used.
    """
    variables = _VARIABLES.items() if over_network else ()
    said = {name: value for name, variable in variables if (value := environment.get(variable))}
    said |= {name: value for name, value in kept.items() if name in {*_VARIABLES, "sslpassword"}}
    # By what name each was said.
    called = {name: name if name in kept else variable for name, variable in _VARIABLES.items()}
    if "ssl" in kept and "sslmode" not in kept:
        # Another spelling, before which no variable counts either.
        plain = kept["ssl"].lower()
        said["sslmode"] = "require" if plain in TRUE else "disable" if plain in FALSE else plain
        called["sslmode"] = "ssl"
    mode = _mode(said, called)
    if not over_network:
        return {"sslmode": "disable", "sslnegotiation": "postgres"}
    _guards(kept.get("channel_binding", "prefer").lower(), mode)
    made = {"sslmode": mode, "sslnegotiation": said.get("sslnegotiation", "postgres")}
    if made["sslnegotiation"] not in ("postgres", "direct"):
        raise AddressError(f"{called['sslnegotiation']} is postgres or direct")
    if made["sslnegotiation"] == "direct" and _MODES.index(mode) < _MODES.index("require"):
        raise AddressError(f"{called['sslnegotiation']}=direct needs sslmode=require, verify-ca or verify-full")
    for name in ("ssl_min_protocol_version", "ssl_max_protocol_version"):
        if name in said:
            if said[name] not in _VERSIONS:
                raise AddressError(f"{called[name]} is one of {', '.join(_VERSIONS)}")
            made[name] = said[name]
    if mode == "disable":
        return made
    made |= {name: said[name] for name in ("sslcert", "sslkey", "sslpassword", "sslcrl") if name in said}
    if "sslcert" in made and "sslkey" not in made and (key := _default("postgresql.key")).is_file():
        made["sslkey"] = str(key)
    if said.get("sslrootcert") == "system":
        made["sslrootcert"] = _of_the_system(called["sslrootcert"])
    elif "sslrootcert" in said:
        made["sslrootcert"] = said["sslrootcert"]
    elif mode.startswith("verify") and not _default("root.crt").is_file():
        raise AddressError(f"{called['sslmode']}={mode} has to know whom to trust; {_TRUST}")
    _try_files(made, called)
    return made


def _mode(said: Mapping[str, str], called: Mapping[str, str]) -> str:
    mode = said.get("sslmode", "").lower().replace("_", "-")
    if mode == "no-verify":
        return "require"
    if said.get("sslrootcert") == "system" and mode != "disable":
        if mode not in ("", "verify-full"):
            raise AddressError(f"{called['sslrootcert']}=system needs sslmode=verify-full")
        return "verify-full"
    if mode and mode not in _MODES:
        raise AddressError(f"{called['sslmode']} is one of {', '.join(_MODES)}")
    return mode or "prefer"


def _guards(channel_binding: str, mode: str) -> None:
    """Channel binding guards against a server that stands between; so does a certificate that is looked at."""
    if channel_binding not in ("disable", "prefer", "require"):
        raise AddressError("channel_binding is one of disable, prefer and require")
    if channel_binding == "require" and not mode.startswith("verify"):
        raise AddressError(
            "channel_binding=require cannot be kept to. Against a server that poses as yours write "
            "sslmode=verify-full&sslrootcert=system in its place; or take it out"
        )


def _of_the_system(called: str) -> str:
    paths = ssl.get_default_verify_paths()
    for path in (paths.cafile, *_SYSTEMS):
        if path and Path(path).is_file():
            return path
    raise AddressError(f"{called}=system: no list of authorities was found on this machine; write {called}=FILE")


def _default(name: str) -> Path:
    try:
        return Path.home() / ".postgresql" / name
    except (RuntimeError, KeyError):
        return Path(os.devnull)


def _try_files(made: Mapping[str, str], called: Mapping[str, str]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in ("sslrootcert", "sslcrl"):
        if name in made:
            try:
                context.load_verify_locations(cafile=made[name])
            except (OSError, ValueError) as error:
                raise AddressError(f"{called[name]} names a file that cannot be read: {_reason(error)}") from None
    if "sslcert" in made:
        try:
            context.load_cert_chain(made["sslcert"], made.get("sslkey"), lambda: made.get("sslpassword", ""))
        except (OSError, ValueError) as error:
            words = f"{called['sslcert']} names a certificate that cannot be read with its key"
            raise AddressError(f"{words}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__
