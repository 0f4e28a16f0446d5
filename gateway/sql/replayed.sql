-- One row: how far a standby has replayed its primary's log; null on what is no standby (any more).
select
    case when pg_is_in_recovery() then (pg_last_wal_replay_lsn() - '0/0')::bigint end as position,
    system_identifier as cluster
from pg_control_system()
