-- One row a batch of the page, newest first, each with the number of batches on all pages; one row of nulls for none.
with matching as (
    select f.id, f.created_at
    from (
        select b.id, b.agency_id, b.campaign_id, b.status, b.created_at, c.client_id
        from call_batches as b
        left join campaigns as c on c.agency_id = b.agency_id and c.id = b.campaign_id
    ) as f
    where f.agency_id = $1 :narrowed
),

page as (
    select id, created_at
    from matching
    order by created_at desc, id
    limit $2 offset $3
)

select
    t.total as "total",
    b.id,
    b.agency_id as "agencyId",
    b.campaign_id as "campaignId",
    upper(b.status::text) as status,
    b.total_calls as "totalCalls",
    b.completed_count as "completedCount",
    b.failed_count as "failedCount",
    b.pending_count as "pendingCount",
    b.in_progress_count as "inProgressCount",
    b.progress_pct as "progressPct",
    b.created_at as "createdAt",
    b.completed_at as "completedAt"
from (select count(*) as total from matching) as t
left join page as p on true
left join v_call_batch_summary as b on b.id = p.id
order by p.created_at desc, p.id
