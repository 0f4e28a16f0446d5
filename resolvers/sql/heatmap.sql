-- One row an hour of the week (UTC; day 0 is Sunday) in which there were calls.
select
    extract(dow from f.started_at at time zone 'UTC')::integer as day,
    extract(hour from f.started_at at time zone 'UTC')::integer as hour,
    :measures
from calls as f
cross join lateral call_counts(f) as n
where :where
group by 1, 2
order by 1, 2
