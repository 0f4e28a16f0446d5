"""Puts the pages into the wheel: they are built when it is, with a Node of its own where the machine has none."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent / "web"))
import build as pages


class PagesHook(BuildHookInterface):
    """Hatch's own way to build more than Python."""

    def dependencies(self) -> list[str]:
        """Node from PyPI, unless the machine has one, or the pages are left out."""
        return [] if not pages.is_wanted() or pages.has_node() else [pages.NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Builds them, for a wheel and for an editable installation alike."""
        if not pages.is_wanted():
            self.app.display_info("GATEWAY_WEB=off: without the pages.")
            return
        try:
            pages.build()
        except pages.PagesError as error:
            self.app.abort(str(error))
        build_data["artifacts"].append("/gateway/web/**")
