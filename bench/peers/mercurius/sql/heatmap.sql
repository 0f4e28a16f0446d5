-- One row an hour of the week (UTC; day 0 is Sunday) in which there were calls, counted from the calls themselves.
select
    extract(dow from h.hour at time zone 'UTC')::integer as day,
    extract(hour from h.hour at time zone 'UTC')::integer as hour,
    sum(h.total_calls) as "totalCalls",
    sum(h.connected_calls) as "connectedCalls",
    sum(h.meetings_booked) as "meetingsBooked"
from (
    select
        date_bin('1 hour', f.started_at, 'epoch') as hour,
        sum(n.total_calls) as total_calls,
        sum(n.connected_calls) as connected_calls,
        sum(n.meetings_booked) as meetings_booked
    from calls as f
    cross join lateral call_counts(f) as n
    where f.agency_id = $1
        and f.started_at >= $2::date::timestamp at time zone 'UTC'
        and f.started_at < ($3::date + 1)::timestamp at time zone 'UTC' :narrowed
    group by 1
) as h
group by 1, 2
order by 1, 2
