-- One row: of a standby, whether it receives a log now, whether this role may see which, and how many seconds ago the last
-- commit was made that it has replayed.
select
    exists (select from pg_stat_wal_receiver) as receives,
    pg_has_role(current_user, 'pg_read_all_stats', 'usage') as may_see,
    quote_ident(current_user) as role,
    extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::float8 as last_commit
