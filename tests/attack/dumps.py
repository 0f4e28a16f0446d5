"""pg_dump, pg_restore and psql of the version of the server that a test runs on."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from database.binaries import EmbeddedError, environment, find_binaries


async def tools(dsn: str) -> Path:
    """The folder of the programs; skips the test where the machine has none of the server's version."""
    connection = await asyncpg.connect(dsn)
    wanted = connection.get_server_version().major
    await connection.close()
    folders = [Path(found).parent for name in ("pg_dump",) if (found := shutil.which(name))]
    folders.append(Path(f"/usr/lib/postgresql/{wanted}/bin"))
    with suppress(EmbeddedError):
        folders.insert(0, find_binaries(_named()))
    for folder in folders:
        if (folder / "pg_dump").exists():
            told = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, check=True, text=True).stdout
            if f" {wanted}" in told.split("(PostgreSQL)")[-1].split(".")[0]:
                return folder
    pytest.skip(f"there is no pg_dump of PostgreSQL {wanted} on this machine")


def _named() -> Path | None:
    named = os.environ.get("TEST_POSTGRES_BIN_DIR")
    return Path(named) if named else None


async def run(*command: str | Path, env: Mapping[str, str] | None = None) -> str:
    """Runs a program, which has to succeed, and gives what it printed."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment() | dict(env or {}),
    )
    output, _ = await process.communicate()
    told = output.decode("utf-8", "replace")
    assert process.returncode == 0, told
    return told
