"""Runs the application under uvicorn."""

import gc
import socket
import sys
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from gateway.app import create_app
from gateway.connections import Bounds, Connection
from gateway.settings import Settings

SWITCH_SECONDS = 0.0005
"""How long a thread keeps the interpreter from another that wants it; Python's own is ten times as much."""


def server_config(settings: Settings) -> uvicorn.Config:
    """How the server runs, in production and in the demo alike."""
    config = http_config(create_app(settings), settings)
    # What is there now stays, so it is not looked through again; and an answer makes thousands of objects that are
    # freed by counting, for which collecting at every 700th is a tenth of the work. What is in cycles are documents.
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    # While a document is checked in a thread beside, the event loop has to have the interpreter back soon.
    sys.setswitchinterval(SWITCH_SECONDS)
    return config


def http_config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """How an application is reached over HTTP."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=partial(Connection, Bounds(settings)),  # type: ignore[arg-type]  # called as the class would be
        timeout_keep_alive=settings.http_keep_alive_seconds,  # type: ignore[arg-type]  # goes to `call_later`
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks who the client is but its token
        ws="none",
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def bound(host: str, port: int) -> socket.socket:
    """The port, taken but not listened on.

    Raises:
        OSError: it cannot be had.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # uvloop sets it on listeners of its own only; without it small answers wait for the client's acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def serve(settings: Settings) -> None:
    """Serves until SIGTERM or Ctrl-C, then lets requests under way end."""
    uvicorn.Server(server_config(settings)).run()
