"""What the gateway says of itself to programs, the same until the next release: `/openapi.json`, `/schema.graphql`."""

from starlette.types import Receive, Scope, Send

from gateway.compression import VARY
from gateway.kept import Answer


class Published:
    """A text, as an ASGI application: for anybody, with an ETag, and packed once for all who take it packed."""

    def __init__(self, body: bytes, media_type: str) -> None:
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-cache"),
            VARY,
        ]
        self._answer = Answer(headers, body, is_tagged=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answers a GET or HEAD."""
        asked = scope["state"]["headers"]
        if self._answer.is_to_be_packed(asked):
            await self._answer.pack()
        await self._answer.send(asked, send)
