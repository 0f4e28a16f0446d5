-- One row an hour of the week (UTC; day 0 is Sunday), if there were calls on such a day.
select n.day, h.hour, :slots
from (
    -- Hour by hour by its place, which is several times as fast as taking the arrays apart.
    select extract(dow from f.stat_date)::integer as day, :days
    from call_stats_daily as f
    where :where
    group by 1
) as n
cross join generate_series(0, 23) as h (hour)
order by 1, 2
