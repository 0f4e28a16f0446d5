-- One row a job whose worker has stopped answering: back in the queue, or set aside after its last try. Jobs whose call is gone
-- go too, unless a claim will meet them.
with gone as (
    delete from enrichment_queue as q
    where (q.status = 'failed' or (q.status = 'running' and q.locked_until < now()))
        and not exists (select from calls as c where c.id = q.call_id)
),

lost as (
    select q.id, q.attempts >= q.max_attempts as spent
    from enrichment_queue as q
    inner join calls as c on c.id = q.call_id
    where q.status = 'running' and q.locked_until < now()
    order by c.id
    limit 1000
    for update of c, q skip locked
),

jobs as (
    update enrichment_queue as q
    set
        status = case when l.spent then 'failed' else 'queued' end::enrichment_job_status,
        run_after = now(), locked_by = null, locked_until = null, updated_at = now(),
        last_error = 'its worker (' || q.locked_by || ') stopped answering'
    from lost as l
    where q.id = l.id
    returning q.id, q.call_id, q.job_type, q.attempts, l.spent
),

calls_set_aside as (
    update calls as c
    set
        analysis_status = 'failed',
        transcript_status = case when j.job_type = 'transcript' then 'failed' else c.transcript_status end
    from jobs as j
    where c.id = j.call_id and j.spent and c.analysis_status = 'pending'
)

select j.id, j.call_id, j.job_type::text as job_type, j.attempts, j.spent from jobs as j
