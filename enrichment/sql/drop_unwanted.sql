-- One row a job that nobody needs done any more, as its call was analysed or given up elsewhere: $1 worker, $2 as JSON.
delete from enrichment_queue as q
using calls as c, jsonb_to_recordset($2::jsonb) as u (job_id uuid)
where q.id = u.job_id and q.status = 'running' and q.locked_by = $1
    and c.id = q.call_id and c.analysis_status <> 'pending'
returning q.id
