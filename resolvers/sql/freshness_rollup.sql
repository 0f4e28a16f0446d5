-- One row: when the range's counts last changed, and when the whole rollup was last recounted from the calls.
select
    max(f.updated_at) as last_changed_at,
    (
        select max(l.finished_at)
        from cron_job_logs as l
        where l.job = 'recount_call_stats' and l.status = 'completed'
    ) as last_checked_at
from call_stats_daily as f
where :where
