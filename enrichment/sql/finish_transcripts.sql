-- One row a job that is done, what was fetched written with it: $1 worker, $2 as JSON. The database then queues the
-- call for its analysis, or skips it when nothing was said. A transcript that arrived meanwhile by another way stays.
with fetched as (
    select * from jsonb_to_recordset($2::jsonb) as f (job_id uuid, transcript jsonb, has_recording boolean)
),

mine as (
    select q.id, c.id as call_id
    from fetched as f
    inner join enrichment_queue as q on q.id = f.job_id
    inner join calls as c on c.id = q.call_id and c.agency_id = q.agency_id
    where q.status = 'running' and q.locked_by = $1
    order by c.id
    for update of c skip locked
),

done as (
    delete from enrichment_queue as q
    using mine as m
    where q.id = m.id and q.status = 'running' and q.locked_by = $1
    returning q.id, q.call_id
),

written as (
    update calls as c
    set
        transcript = f.transcript,
        transcript_status = case when jsonb_array_length(f.transcript) > 0 then 'completed' else 'skipped' end::enrichment_status,
        has_recording = c.has_recording or f.has_recording
    from done as d
    inner join fetched as f on f.job_id = d.id
    where c.id = d.call_id and c.transcript_status = 'pending' and coalesce(jsonb_array_length(c.transcript), 0) = 0
)

select d.id from done as d
