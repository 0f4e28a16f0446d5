-- Has pg_cron ask for the recount, for those who run no worker or prefer it. Run by hand, as the tables' owner, in the
-- database where pg_cron lives (on Supabase: after switching the extension on). Asking while workers ask as well does
-- no harm: a slot is done once. To end it: select cron.unschedule('recount_call_stats');
select cron.schedule('recount_call_stats', '2 */6 * * *', 'select * from recount_call_stats()');
