-- One row a job that is in the queue again, or set aside: $1 worker, $2 as JSON. A try that does not count is taken back.
with tries as (
    select *
    from jsonb_to_recordset($2::jsonb) as t (job_id uuid, reason text, wait_seconds double precision, counts boolean, aside boolean)
),

mine as (
    select q.id, c.id as call_id, t.reason, t.wait_seconds, t.counts, t.aside
    from tries as t
    inner join enrichment_queue as q on q.id = t.job_id
    inner join calls as c on c.id = q.call_id
    where q.status = 'running' and q.locked_by = $1
    order by c.id
    for update of c skip locked
),

jobs as (
    update enrichment_queue as q
    set
        status = case when m.aside then 'failed' else 'queued' end::enrichment_job_status,
        attempts = q.attempts - case when m.counts then 0 else 1 end,
        run_after = now() + make_interval(secs => m.wait_seconds),
        locked_by = null, locked_until = null, updated_at = now(), last_error = m.reason
    from mine as m
    where q.id = m.id and q.status = 'running' and q.locked_by = $1
    returning q.id, q.call_id, q.job_type, m.aside
),

calls_set_aside as (
    update calls as c
    set
        analysis_status = 'failed',
        transcript_status = case when j.job_type = 'transcript' then 'failed' else c.transcript_status end
    from jobs as j
    where c.id = j.call_id and j.aside and c.analysis_status = 'pending'
)

select j.id from jobs as j
