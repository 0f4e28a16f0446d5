-- One row for the whole range, for each day of it or for each campaign in it, as the sets ask, if it has calls.
select :measures
from call_stats_parts as f
where :where
group by grouping sets (:sets)
having :kept
