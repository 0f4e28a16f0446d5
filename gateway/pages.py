"""What people look at: the dashboard at `/`, the explorer at `/graphql`, and the files that both are made of."""

from collections.abc import Mapping
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from gateway import compression
from gateway.settings import Settings

FOLDER = Path(__file__).parent / "web"
"""Made by `web/build.py`, in every installation but those with `GATEWAY_WEB=off`."""
_NOT_BUILT = (
    "The pages are not part of this installation: it was made with GATEWAY_WEB=off, or from sources that were not "
    "built. To build them: python web/build.py. The API is at /graphql and /functions/v1/.\n"
)
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}


class Pages:
    """The pages of one gateway. They hold no data, and ask for it as any other client does."""

    def __init__(self, settings: Settings) -> None:
        self._has_dashboard = settings.dashboard
        self._told = _told(settings)
        issuer = f" {_origin(settings)}" if _signs_in_with_supabase(settings) else ""
        self._dashboard = _headers("style-src 'self'; img-src 'self'", f"connect-src 'self'{issuer}")
        # Its editor writes styles into the page, and its style sheet holds fonts and pictures.
        self._explorer = _headers(
            "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; worker-src 'self'",
            "connect-src 'self'",
        )

    def routes(self) -> list[BaseRoute]:
        """All but the explorer, which is one face of `/graphql`."""
        files = Mount("/assets", _Packed(directory=FOLDER / "assets", check_dir=False))
        return [files, Route("/page.json", self._tell), *([Route("/", self._show)] if self._has_dashboard else [])]

    def explorer(self) -> Response:
        """The explorer's page."""
        return _page("explorer.html", self._explorer)

    async def _show(self, _: Request) -> Response:
        return _page("dashboard.html", self._dashboard)

    async def _tell(self, request: Request) -> Response:
        # The API may be asked by any origin, since tokens decide there. Here one may be handed out. A browser that does
        # not tell the site (by plain HTTP none does) still tells the origin, but not to its own.
        unsaid = "cross-site" if "origin" in request.headers else "same-origin"
        if request.headers.get("sec-fetch-site", unsaid) not in ("same-origin", "none"):
            return PlainTextResponse("This is for the gateway's own pages.\n", status_code=403)
        return Response(self._told, media_type="application/json")


class _Packed(StaticFiles):
    """Files whose names change with their content: kept for good, and sent as they were packed when they were built."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The packed file, where there is one and the browser takes it."""
        if scope["method"] in ("GET", "HEAD") and compression.is_taken(
            scope["state"]["headers"], compression.LEAST_BYTES
        ):
            packed, stat = self.lookup_path(f"{path}.gz")
            if stat:
                response = self.file_response(packed, stat, scope)
                response.headers.update({**_KEPT, "Content-Encoding": "gzip"})
                return response
        response = await super().get_response(path, scope)
        response.headers.update(_KEPT)
        return response

    async def check_config(self) -> None:
        """Nothing: where the pages were not built there are no files, which is no failure."""


def _signs_in_with_supabase(settings: Settings) -> bool:
    return bool(settings.supabase_url and settings.supabase_publishable_key)


def _told(settings: Settings) -> bytes:
    """What a page must know of its gateway before it can ask: how one signs in."""
    supabase = None
    if _signs_in_with_supabase(settings):
        supabase = {"url": str(settings.supabase_url), "publishableKey": settings.supabase_publishable_key}
    return orjson.dumps({"token": settings.page_token.get_secret_value() or None, "supabase": supabase})


def _origin(settings: Settings) -> str:
    url = settings.supabase_url
    if url is None:
        return ""
    return str(url).removesuffix(url.path or "") if url.path else str(url)


def _headers(*own: str) -> Mapping[str, str]:
    policy = (
        "default-src 'none'", "script-src 'self'", *own,
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    )  # fmt: skip
    return {
        "Content-Security-Policy": "; ".join(policy),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }


def _page(name: str, headers: Mapping[str, str]) -> Response:
    if not (FOLDER / name).exists():
        return PlainTextResponse(_NOT_BUILT, status_code=404)
    return HTMLResponse((FOLDER / name).read_bytes(), headers=headers)
