-- One row a job that is still this worker's: $1 worker, $2 jobs, $3 seconds from now until they return to the queue.
update enrichment_queue as q
set locked_until = now() + make_interval(secs => $3), updated_at = now()
where q.id = any ($2::uuid[]) and q.status = 'running' and q.locked_by = $1
returning q.id
