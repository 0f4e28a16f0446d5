-- Has pg_cron ask for the recount, for those who run no worker or prefer it. Run by hand, as the tables' owner, in the
-- database where pg_cron lives (on Supabase: after switching the extension on). Asking each minute, as a worker does, also
-- has what waits added up; a slot of 6 hours is recounted once, however many ask, workers among them. Where the database's
-- default isolation is another than read committed, in which alone it can be done, say so of the role that runs this:
-- alter role … in database … set default_transaction_isolation = 'read committed';
select cron.schedule('recount_call_stats', '* * * * *', 'select * from recount_call_stats()');

-- pg_cron keeps a row of every run for ever: half a million in a year.
select cron.schedule('forget_recount_call_stats', '17 3 * * *', $$
    delete from cron.job_run_details as r
    using cron.job as j
    where j.jobid = r.jobid and j.jobname in ('recount_call_stats', 'forget_recount_call_stats')
        and r.start_time < now() - interval '7 days'
$$);

-- To end it:
-- select cron.unschedule('recount_call_stats'), cron.unschedule('forget_recount_call_stats');
