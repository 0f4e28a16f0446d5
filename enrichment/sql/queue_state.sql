-- One row an agency with open or set-aside jobs of a type.
select
    a.name collate "C" as agency, q.job_type::text as job_type,
    count(*) filter (where q.status = 'queued' and q.run_after <= now()) as due,
    count(*) filter (where q.status = 'queued' and q.run_after > now()) as later,
    count(*) filter (where q.status = 'running') as running,
    count(*) filter (where q.status = 'failed') as set_aside,
    min(q.created_at) filter (where q.status <> 'failed') as oldest,
    mode() within group (order by q.last_error collate "C") filter (where q.status = 'failed') as commonest_reason
from enrichment_queue as q
inner join agencies as a on a.id = q.agency_id
group by a.name, q.job_type
order by a.name collate "C", q.job_type
