-- One row: the stages of a range and the rates between them.
select
    s.total_calls as "totalCalls",
    s.connected,
    s.conversation,
    s.qualified,
    s.booked as "appointmentBooked",
    round(100.0 * s.connected / nullif(s.total_calls, 0), 1) as "contactRate",
    round(100.0 * s.conversation / nullif(s.connected, 0), 1) as "connectedToConversation",
    round(100.0 * s.qualified / nullif(s.conversation, 0), 1) as "conversationToQualified",
    round(100.0 * s.booked / nullif(s.qualified, 0), 1) as "qualifiedToBooked",
    round(100.0 * s.booked / nullif(s.total_calls, 0), 1) as "overallConversion"
from (
    select
        coalesce(sum(f.total_calls), 0) as total_calls,
        coalesce(sum(f.connected_calls), 0) as connected,
        coalesce(sum(f.conversations_had), 0) as conversation,
        coalesce(sum(f.qualified_leads), 0) as qualified,
        coalesce(sum(f.meetings_booked), 0) as booked
    from call_stats_parts as f
    where f.agency_id = $1 and f.stat_date between $2 and $3 :narrowed
) as s
