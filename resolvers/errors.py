"""The errors a report can raise; how they are worded for the outside is the gateway's business."""


class AnalyticsError(Exception):
    """Something a caller may be told about, with a code that never changes."""

    code = "INTERNAL"


class BadFilter(AnalyticsError):
    """An argument that cannot be answered; the message says what is wrong and what is accepted."""

    code = "BAD_FILTER"

    def __init__(self, message: str, argument: str | None = None) -> None:
        super().__init__(message)
        self.argument = argument
        """By its Python name, where one is to blame."""


class Unavailable(AnalyticsError):
    """The database is away or too busy; the same question may be answered in a moment."""

    code = "UNAVAILABLE"


class TimedOut(Unavailable):
    """The answer took longer than a request may."""

    code = "TIMEOUT"
