"""One bound in bytes for all that is remembered of documents, and at whose expense room is made."""

from collections import OrderedDict
from collections.abc import Callable, Hashable


class Share(OrderedDict["Entry", None]):
    """What one owner has remembered, the least recently used first."""

    def __init__(self, owner: Hashable) -> None:
        super().__init__()
        self.owner = owner
        self.bytes = 0


class Entry:
    """One thing that is remembered. Who holds it is told by `forget` when it is to be let go."""

    __slots__ = ("forget", "made", "share", "size", "source")

    def __init__(self, share: Share, forget: Callable[[], object], source: "Entry | None") -> None:
        self.share: Share | None = share
        self.forget = forget
        self.source = source
        self.made: set[Entry] = set()
        self.size = 0

    @property
    def is_kept(self) -> bool:
        """Whether it has not been let go."""
        return self.share is not None

    @property
    def owner(self) -> Hashable:
        """Whose room it takes; None's once it was let go."""
        return self.share.owner if self.share is not None else None


class Memory:
    """Counts the bytes of what is remembered, and has the least recently used forgotten where they are too many.

    Whatever was made from a thing is forgotten with it. Room is made at the expense of the owner who takes some, where
    they have more than their share, and otherwise of the one who has most: nobody pushes out what others use.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._shares: dict[Hashable, Share] = {}

    def keep(
        self, owner: Hashable, size: int, forget: Callable[[], object], source: Entry | None = None
    ) -> Entry | None:
        """Counts a thing that is held by now.

        Args:
            owner: at whose expense it is.
            size: its bytes, which may grow.
            forget: called once, when it is to be let go: at once where there is no room for it.
            source: what it was made from, if that is remembered itself.

        Returns:
            The entry to be named when the thing is used or grows; None if it was let go at once.
        """
        if size > self.max_bytes or (source is not None and not source.is_kept):
            forget()
            return None
        share = self._shares.setdefault(owner, Share(owner))
        entry = Entry(share, forget, source)
        share[entry] = None
        if source is not None:
            source.made.add(entry)
            self.use(source)
        self.grow(entry, size)
        return entry if entry.is_kept else None

    def use(self, entry: Entry | None) -> None:
        """Notes that a thing was of use just now, and so was what it was made from."""
        while entry is not None and entry.share is not None:
            entry.share.move_to_end(entry)
            entry = entry.source

    def grow(self, entry: Entry | None, size: int) -> None:
        """Counts so many more bytes of a thing, if it is still remembered."""
        if entry is None or (share := entry.share) is None:
            return
        entry.size += size
        share.bytes += size
        self.bytes += size
        while self.bytes > self.max_bytes:
            crowded = share if share.bytes * len(self._shares) > self.max_bytes else self._largest()
            self.forget(next(iter(crowded)))

    def forget(self, entry: Entry) -> None:
        """Lets a thing go, and all that was made from it."""
        if (share := entry.share) is None:
            return
        entry.share = None
        while entry.made:
            self.forget(entry.made.pop())
        if entry.source is not None:
            entry.source.made.discard(entry)
        del share[entry]
        share.bytes -= entry.size
        self.bytes -= entry.size
        if not share:
            self._shares.pop(share.owner, None)
        entry.forget()

    def _largest(self) -> Share:
        return max(self._shares.values(), key=lambda share: share.bytes)
