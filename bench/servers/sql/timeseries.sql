-- One row a day that has calls.
select
    stat_date as date,
    sum(total_calls)::bigint as total_calls,
    sum(completed_calls)::bigint as completed_calls,
    sum(connected_calls)::bigint as connected_calls,
    sum(conversations_had)::bigint as conversations_had,
    sum(meetings_booked)::bigint as meetings_booked,
    sum(qualified_leads)::bigint as qualified_leads,
    round(sum(total_duration_seconds) / nullif(sum(completed_calls), 0))::bigint as avg_duration_seconds,
    round(sum(talk_ratio_sum) / nullif(sum(talk_ratio_calls), 0), 4)::float8 as avg_talk_ratio
from call_stats_parts
where agency_id = $1 and stat_date between $2 and $3
group by stat_date
order by stat_date
