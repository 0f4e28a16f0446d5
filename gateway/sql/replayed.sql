-- One row: how far a standby has replayed its primary's log, and on which timeline; null on what is no standby (any more).
select
    case when pg_is_in_recovery() then (pg_last_wal_replay_lsn() - '0/0')::bigint end as position,
    -- Each may be late, and none names a timeline that what is replayed does not lead to. What is received is hidden
    -- (null) from a role without pg_read_all_stats; the control file follows at the next restartpoint.
    greatest(
        (select received_tli from pg_stat_wal_receiver),
        (select min_recovery_end_timeline from pg_control_recovery()),
        (select timeline_id from pg_control_checkpoint())
    ) as timeline,
    system_identifier as cluster
from pg_control_system()
