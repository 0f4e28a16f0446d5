-- One row a call that was to be understood anew, in the order of ids, and whether it was queued for that: $1 agency or null
-- for all, $2 first and $3 last UTC day or null, $4 only calls that were set aside, $5 the last id of the chunk before,
-- $6 calls at most. What is known of a call stays until it is replaced; one without words, analysed elsewhere, is left as
-- it is. One that waits without a job, as it came where no trigger queued it, is queued too, or settled without.
with chosen as (
    select c.id
    from calls as c
    where c.id > $5
        and (
            (c.status = 'completed' and c.analysis_status = 'failed')
            or (
                c.status = 'completed' and c.analysis_status = 'completed' and not $4::boolean
                and jsonb_array_length(c.transcript) > 0
            )
            or (
                c.status in ('completed', 'failed') and c.analysis_status = 'pending' and not $4::boolean
                and not exists (select from enrichment_queue as q where q.call_id = c.id)
            )
        )
        and ($1::uuid is null or c.agency_id = $1)
        and ($2::date is null or c.started_at >= $2::date::timestamp at time zone 'UTC')
        and ($3::date is null or c.started_at < ($3::date + 1)::timestamp at time zone 'UTC')
    order by c.id
    limit $6
)

update calls as c
set
    analysis_status = 'pending',
    transcript_status = case when c.transcript_status = 'failed' then 'pending' else c.transcript_status end
from chosen as n
where c.id = n.id
returning c.id, c.analysis_status = 'pending' as is_queued
