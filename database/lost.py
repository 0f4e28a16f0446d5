"""How asyncpg says that a connection was lost, or could not be had; it has many ways."""

import asyncpg

LOST = (
    OSError,
    asyncpg.InterfaceError,  # a closed connection; on a standby also a recovery conflict, without a SQLSTATE
    asyncpg.InternalClientError,  # what pg_terminate_backend may look like from here
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, terminated
    asyncpg.InsufficientResourcesError,  # too many connections
    asyncpg.TransactionRollbackError,  # a recovery conflict on a standby, a deadlock that was resolved
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
