-- One row: how far the primary's log reaches; every commit that was answered before this began lies before it.
select
    -- Right behind a page's header (24 or 40 bytes) nothing stands yet that could be replayed.
    position - case when position % block <= 40 then position % block else 0 end as position,
    -- A position names a place in the log of one timeline: a promotion begins another.
    ('x' || left(pg_walfile_name(reached), 8))::bit(32)::int as timeline,
    system_identifier as cluster
from (
    -- Not the written position: a commit that does not wait for the disk (synchronous_commit off) is behind it.
    select
        pg_current_wal_insert_lsn() as reached,
        (pg_current_wal_insert_lsn() - '0/0')::bigint as position,
        current_setting('wal_block_size')::int as block
) as log
cross join pg_control_system()
