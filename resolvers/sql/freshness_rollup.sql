-- One row: when the range's counts last changed, when the whole rollup was last recounted from the calls, and how far
-- the analysis of the connected calls has got.
select
    max(f.updated_at) as last_changed_at,
    (
        select max(l.finished_at)
        from cron_job_logs as l
        where l.job = 'recount_call_stats' and l.status = 'completed'
    ) as last_checked_at,
    bigint_sum(f.connected_calls) as connected_calls,
    bigint_sum(f.analyzed_connected_calls) as analyzed_connected_calls
from call_stats_parts as f
where :where
