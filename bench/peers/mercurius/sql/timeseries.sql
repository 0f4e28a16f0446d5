-- One row a day that has calls, oldest first, with the metrics that were selected.
select f.stat_date as date :metrics
from call_stats_parts as f
where f.agency_id = $1 and f.stat_date between $2 and $3 :narrowed
group by f.stat_date
order by f.stat_date
