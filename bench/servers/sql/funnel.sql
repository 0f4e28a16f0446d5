-- One row: the five stages and the rates between them.
select
    coalesce(sum(total_calls), 0)::bigint as total_calls,
    coalesce(sum(connected_calls), 0)::bigint as connected,
    coalesce(sum(conversations_had), 0)::bigint as conversation,
    coalesce(sum(qualified_leads), 0)::bigint as qualified,
    coalesce(sum(meetings_booked), 0)::bigint as appointment_booked,
    round(100.0 * sum(connected_calls) / nullif(sum(total_calls), 0), 1)::float8 as contact_rate,
    round(100.0 * sum(conversations_had) / nullif(sum(connected_calls), 0), 1)::float8 as connected_to_conversation,
    round(100.0 * sum(qualified_leads) / nullif(sum(conversations_had), 0), 1)::float8 as conversation_to_qualified,
    round(100.0 * sum(meetings_booked) / nullif(sum(qualified_leads), 0), 1)::float8 as qualified_to_booked,
    round(100.0 * sum(meetings_booked) / nullif(sum(total_calls), 0), 1)::float8 as overall_conversion
from call_stats_parts
where agency_id = $1 and stat_date between $2 and $3
