-- One row an hour of the week (UTC; day 0 is Sunday) in which there were calls.
select
    extract(dow from n.hour at time zone 'UTC')::integer as day,
    extract(hour from n.hour at time zone 'UTC')::integer as hour,
    :measures
from (
    -- Hours in the calendar first: they are cheap to tell, and far fewer than calls.
    select
        date_bin('1 hour', f.started_at, 'epoch') as hour,
        :measures
    from calls as f
    cross join lateral call_counts(f) as n
    where :where
    group by 1
) as n
group by 1, 2
order by 1, 2
