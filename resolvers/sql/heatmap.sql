-- One row an hour of the week (UTC; day 0 is Sunday), if there were calls on such a day.
select u.day, u.hour, :slots
from (
    select n.day, h.hour, :hours
    from (
        -- Hour by hour by its place, which is several times as fast as taking the arrays apart.
        select extract(dow from f.stat_date)::integer as day, :days
        from :folded as f
        where :where
        group by 1
    ) as n
    cross join generate_series(0, 23) as h (hour)
    union all
    -- What no fold has added yet, a row a change.
    select extract(dow from f.stat_date)::integer, f.hour, :changes
    from pending_call_counts as f
    where :where
) as u
group by u.day, u.hour
order by u.day, u.hour
