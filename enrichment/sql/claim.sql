-- One row a job taken for a worker, with what is known of its call: $1 worker, $2 job type, $3 jobs at most,
-- $4 seconds until it returns to the queue, $5 agencies to leave alone for now.
-- Fair: an agency's second job comes after every other agency's first, whatever the lengths of their queues, and
-- among equals chance decides, so that nobody always comes last.
with recursive waiting as (
    (
        select q.agency_id
        from enrichment_queue as q
        where q.status = 'queued' and q.job_type = $2
        order by q.agency_id
        limit 1
    )
    union all
    -- From one agency to the next through the index, past however many jobs the one has.
    select (
        select q.agency_id
        from enrichment_queue as q
        where q.status = 'queued' and q.job_type = $2 and q.agency_id > w.agency_id
        order by q.agency_id
        limit 1
    )
    from waiting as w
    where w.agency_id is not null
),

agencies as (
    select w.agency_id, (4 * $3::integer / count(*) over ())::integer + 1 as share
    from waiting as w
    where w.agency_id is not null and w.agency_id <> all ($5::uuid[])
),

-- More than are wanted, for others may be taking the first of them at this moment.
due as (
    select array_agg(f.id order by f.place, f.chance) as ids
    from (
        select j.id, row_number() over (partition by a.agency_id order by j.run_after, j.id) as place, random() as chance
        from agencies as a
        cross join lateral (
            select q.id, q.run_after
            from enrichment_queue as q
            where q.status = 'queued' and q.job_type = $2 and q.agency_id = a.agency_id and q.run_after <= now()
            order by q.run_after
            limit a.share
        ) as j
    ) as f
),

taken as (
    select q.id
    from enrichment_queue as q
    where q.id = any ((select d.ids from due as d)::uuid[]) and q.status = 'queued'
    order by array_position((select d.ids from due as d), q.id)
    limit $3
    for update of q skip locked
),

-- Whose call is gone: nobody's any more.
dropped as (
    delete from enrichment_queue as q
    using taken as t
    where q.id = t.id and not exists (select from calls as c where c.id = q.call_id)
),

-- A job is its call's agency's. It may say another where something was loaded past the triggers.
claimed as (
    update enrichment_queue as q
    set
        agency_id = c.agency_id, status = 'running', attempts = least(q.attempts, q.max_attempts) + 1, locked_by = $1,
        locked_until = now() + make_interval(secs => $4), updated_at = now()
    from taken as t, calls as c
    where q.id = t.id and c.id = q.call_id
    returning
        q.id, q.agency_id, q.call_id, q.attempts, q.max_attempts,
        c.ultravox_call_id, c.direction = 'inbound' as inbound, c.end_reason,
        c.analysis_status = 'pending' as wanted,
        c.transcript::text as transcript, jsonb_hash_extended(c.transcript, 0) as transcript_hash
)

select * from claimed
