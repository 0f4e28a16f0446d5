-- One row a batch of the first page, newest first.
select
    id, campaign_id, upper(status::text) as status, total_calls, completed_count, failed_count, progress_pct, created_at,
    (select count(*) from call_batches where agency_id = $1) as total
from v_call_batch_summary
where agency_id = $1
order by created_at desc, id
limit $2
