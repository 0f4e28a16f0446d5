-- One row a campaign that has calls in the range, most calls first.
select
    s.campaign_id,
    c.name as campaign_name,
    s.total_calls,
    s.connected_calls,
    s.meetings_booked,
    round(100.0 * s.connected_calls / nullif(s.total_calls, 0), 1)::float8 as contact_rate,
    round(100.0 * s.meetings_booked / nullif(s.total_calls, 0), 1)::float8 as conversion_rate
from (
    select
        campaign_id,
        sum(total_calls)::bigint as total_calls,
        sum(connected_calls)::bigint as connected_calls,
        sum(meetings_booked)::bigint as meetings_booked
    from call_stats_parts
    where agency_id = $1 and stat_date between $2 and $3 and campaign_id is not null
    group by campaign_id
) as s
join campaigns as c on c.id = s.campaign_id
order by s.total_calls desc, c.name, s.campaign_id
