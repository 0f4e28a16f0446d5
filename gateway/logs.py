"""Logs as events with fields: a JSON line each for machines, colours for people; uvicorn's own go the same way."""

import logging
import sys
from contextvars import ContextVar

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from gateway.settings import Settings

request_id: ContextVar[str] = ContextVar("request_id")
"""Of the request at hand, in every line that is logged while it is answered."""


def configure(settings: Settings) -> None:
    """Sets the process's logging up, to standard error."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Processor] = [
        with_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    as_json = settings.log_format == "json"
    rendered: list[Processor] = (
        # Never the variables of a failing frame: a token or a query's values may be among them.
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    structlog.configure(
        processors=[*shared, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)


def with_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Says which request a line belongs to, where there is one."""
    if (known := request_id.get(None)) is not None:
        event["request_id"] = known
    return event
