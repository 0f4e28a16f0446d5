"""Errors on the command line: what says what to do is shown without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import typer

from database.binaries import EmbeddedError
from database.demo_live import NotTheDemo
from database.migrate import MigrationError
from database.rebuild import RebuildError
from enrichment.errors import EnrichmentError
from gateway.errors import SettingsError


@contextmanager
def explained() -> Iterator[None]:
    """Ends the program with code 2 and a message, for every error that is the user's to mend."""
    try:
        yield
    except (SettingsError, EmbeddedError, MigrationError, RebuildError, EnrichmentError, NotTheDemo) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # Why no connection came about is noted in words (database.reach).
        words = " ".join(getattr(error, "__notes__", [])) or str(error)
        typer.echo(f"The database cannot be used: {words}\nTry: gateway doctor", err=True)
        raise typer.Exit(2) from None
