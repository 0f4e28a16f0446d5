-- One row an hour of the week in which there were calls, in DuckDB's SQL; the filters are appended in place of :where.
select
    dayofweek(started_at) as day,
    hour(started_at) as hour,
    count(*) as total_calls,
    count(*) filter (where connected) as connected_calls,
    count(*) filter (where connected and disposition = 'appointment_booked') as meetings_booked
from calls
where started_at >= $first_day and started_at < $end :where
group by 1, 2
order by 1, 2
