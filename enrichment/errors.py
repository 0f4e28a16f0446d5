"""Why a piece of the writing side's work could not be done; the message is the reason kept with its job."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enrichment.analysis import Usage


class EnrichmentError(Exception):
    """A try that failed and may succeed later. `usage` is what it cost all the same."""

    def __init__(self, reason: str, *, usage: "tuple[Usage, ...]" = ()) -> None:
        super().__init__(reason)
        self.usage = usage


class NotNow(EnrichmentError):
    """Not the job's fault: the other side is away, busy or refuses our key. The try does not count.

    `retry_after` is the least time to wait, in seconds. Other jobs that would ask the same wait as well, unless
    `only_this` one is meant.
    """

    def __init__(
        self, reason: str, *, retry_after: float, only_this: bool = False, usage: "tuple[Usage, ...]" = ()
    ) -> None:
        super().__init__(reason, usage=usage)
        self.retry_after = retry_after
        self.only_this = only_this


class Unusable(EnrichmentError):
    """Trying again cannot help: the job is set aside at once."""
