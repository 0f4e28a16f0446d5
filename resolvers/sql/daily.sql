-- One row for the whole range, for each day of it or for each campaign in it, as the sets ask.
select :measures
from call_stats_daily as f
where :where
group by grouping sets (:sets)
