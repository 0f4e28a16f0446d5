-- One row a job whose times a clock wrote that was ahead and has been set right since: from now on it waits as long as it
-- was to wait, or is its worker's for as long as it was to be.
with ahead as (
    select q.id
    from enrichment_queue as q
    where q.updated_at > now() + interval '1 second'
        and (q.status = 'queued' and q.run_after > now() or q.status = 'running')
    for update skip locked
)

update enrichment_queue as q
set
    run_after = now() + (q.run_after - q.updated_at),
    locked_until = now() + (q.locked_until - q.updated_at),
    updated_at = now()
from ahead as a
where q.id = a.id
returning q.id
