"""Runs the application under uvicorn."""

import uvicorn

from gateway.app import create_app
from gateway.logs import configure
from gateway.settings import Settings


def server_config(settings: Settings) -> uvicorn.Config:
    """How the server runs, in production and in the demo alike."""
    return uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks who the client is but its token
        ws="none",
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def serve(settings: Settings) -> None:
    """Serves until SIGTERM or Ctrl-C, then lets requests under way end."""
    configure(settings)
    uvicorn.Server(server_config(settings)).run()
