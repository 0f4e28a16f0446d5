"""What the gateway says of itself to programs, the same until the next release: `/openapi.json`, `/schema.graphql`."""

from collections.abc import Callable
from functools import cached_property

from starlette.types import Receive, Scope, Send

from gateway.compression import VARY
from gateway.kept import Answer


class Published:
    """A text, as an ASGI application: for anybody, with an ETag. It is made, and packed, when it is first asked for."""

    def __init__(self, make: Callable[[], bytes], media_type: str) -> None:
        self._make = make
        self._media_type = media_type.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answers a GET or HEAD."""
        await self._answer.send(scope["state"]["headers"], send)

    @cached_property
    def _answer(self) -> Answer:
        body = self._make()
        headers = [
            (b"content-type", self._media_type),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-cache"),
            VARY,
        ]
        return Answer(headers, body, is_tagged=True)
