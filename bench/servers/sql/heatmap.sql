-- One row an hour of the week in which there were calls, from the calls themselves.
select
    extract(dow from started_at at time zone 'UTC')::integer as day,
    extract(hour from started_at at time zone 'UTC')::integer as hour,
    count(*) as total_calls,
    count(*) filter (where joined_at is not null and coalesce(disposition not in ('voicemail', 'no_answer'), true))
        as connected_calls,
    count(*) filter (where joined_at is not null and disposition = 'appointment_booked') as meetings_booked
from calls
where
    agency_id = $1 and started_at >= $2::date::timestamp at time zone 'UTC'
    and started_at < ($3::date + 1)::timestamp at time zone 'UTC'
group by 1, 2
order by 1, 2
