-- Has pg_cron ask for the recount, for those who run no worker or prefer it. Run by hand, as the tables' owner, in the
-- database where pg_cron lives (on Supabase: after switching the extension on). Asking each minute, as a worker does, also
-- has what waits added up; a slot of 6 hours is recounted once, however many ask, workers among them. To end it:
-- select cron.unschedule('recount_call_stats');
select cron.schedule('recount_call_stats', '* * * * *', 'select * from recount_call_stats()');
