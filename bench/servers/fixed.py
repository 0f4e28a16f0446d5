"""The floor below all floors: uvicorn and an application that answers every request with the same bytes."""

import os
from typing import Any

from bench.servers.running import run

BODY = b'{"data":"' + b"x" * (int(os.environ.get("FIXED_BYTES", "30000")) - 11) + b'"}'
_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())],
}
_END = {"type": "http.response.body", "body": BODY}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads the request to its end and answers."""
    while (await receive()).get("more_body"):
        pass
    await send(_START)
    await send(_END)


if __name__ == "__main__":
    run(app, lifespan="off")
