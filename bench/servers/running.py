"""How every Python server here is run: one uvicorn process with uvloop and httptools, as the gateway is."""

import os
from typing import Any, Literal

import uvicorn


def run(app: Any, lifespan: Literal["on", "off"] = "on") -> None:
    """Serves on PORT until it is told to end."""
    uvicorn.run(
        app, host="127.0.0.1", port=int(os.environ["PORT"]), loop="uvloop", http="httptools", ws="none",
        lifespan=lifespan, log_level="warning", access_log=False, server_header=False, proxy_headers=False,
    )  # fmt: skip
