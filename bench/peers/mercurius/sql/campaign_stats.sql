-- One row a campaign that has calls in the range, most calls first.
select
    s.campaign_id as "campaignId",
    c.name as "campaignName",
    s.total_calls as "totalCalls",
    s.completed_calls as "completedCalls",
    s.connected_calls as "connectedCalls",
    s.meetings_booked as "meetingsBooked",
    s.qualified_leads as "qualifiedLeads",
    s.conversations_had as "conversationsHad",
    round(1.0 * s.total_duration_seconds / nullif(s.completed_calls, 0)) as "avgDurationSeconds",
    round(100.0 * s.connected_calls / nullif(s.total_calls, 0), 1) as "contactRate",
    round(100.0 * s.meetings_booked / nullif(s.total_calls, 0), 1) as "conversionRate"
from (
    select
        f.campaign_id,
        sum(f.total_calls) as total_calls,
        sum(f.completed_calls) as completed_calls,
        sum(f.connected_calls) as connected_calls,
        sum(f.meetings_booked) as meetings_booked,
        sum(f.qualified_leads) as qualified_leads,
        sum(f.conversations_had) as conversations_had,
        sum(f.total_duration_seconds) as total_duration_seconds
    from call_stats_parts as f
    where f.agency_id = $1 and f.stat_date between $2 and $3 and f.campaign_id is not null :narrowed
    group by f.campaign_id
) as s
join campaigns as c on c.agency_id = $1 and c.id = s.campaign_id
order by s.total_calls desc, c.name collate "C", s.campaign_id
