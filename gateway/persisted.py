"""Automatic persisted queries: a document is sent once, and then named by its hash, as Apollo's protocol has it."""

from hashlib import sha256

from gateway.documents import Checked, Documents
from gateway.errors import BadRequest, PersistedQueryNotFound, PersistedQueryNotSupported, WrongHash
from resolvers.viewer import Viewer

PERSISTED = "persistedQuery"
"""The entry of a request's `extensions` that names its document."""
VERSION = 1


async def persisted(named: object, text: str | None, documents: Documents, viewer: Viewer) -> Checked:
    """The document that a request names by its hash, and brings if it is not known.

    A hash is no secret and opens nothing: whoever names a document has it executed within their own limits, and what is
    remembered are texts, never answers.

    Raises:
        PersistedQueryNotFound: it names one that is not remembered.
        PersistedQueryNotSupported: it names it in another way.
        WrongHash: it brings one that has another hash.
        BadRequest: the hash is none.
    """
    if not isinstance(named, dict) or named.get("version") != VERSION:
        raise PersistedQueryNotSupported
    digest = named.get("sha256Hash")
    if not isinstance(digest, str):
        raise BadRequest(f"`extensions.{PERSISTED}.sha256Hash` must be a string")
    if not text:
        if (known := documents.registered(digest)) is None:
            raise PersistedQueryNotFound
        return known
    if sha256(text.encode("utf-8", "surrogatepass")).hexdigest() != digest:
        raise WrongHash
    checked = await documents.of(text, viewer)
    documents.register(digest, checked)
    return checked
