-- One row: what the range's calls came to, in the order in which the dashboard shows it.
select
    coalesce(sum(total_calls), 0)::bigint as total_calls,
    coalesce(sum(completed_calls), 0)::bigint as completed_calls,
    coalesce(sum(failed_calls), 0)::bigint as failed_calls,
    coalesce(sum(connected_calls), 0)::bigint as connected_calls,
    round(100.0 * sum(connected_calls) / nullif(sum(total_calls), 0), 1)::float8 as contact_rate,
    coalesce(sum(conversations_had), 0)::bigint as conversations_had,
    coalesce(sum(meetings_booked), 0)::bigint as meetings_booked,
    coalesce(sum(qualified_leads), 0)::bigint as qualified_leads,
    round(sum(total_duration_seconds) / nullif(sum(completed_calls), 0))::bigint as avg_duration_seconds,
    coalesce(sum(total_duration_seconds), 0)::bigint as total_duration_seconds,
    round(100.0 * sum(positive_sentiment_calls) / nullif(sum(positive_sentiment_calls + neutral_sentiment_calls + negative_sentiment_calls), 0), 1)::float8
        as positive_sentiment_pct,
    round(100.0 * sum(neutral_sentiment_calls) / nullif(sum(positive_sentiment_calls + neutral_sentiment_calls + negative_sentiment_calls), 0), 1)::float8
        as neutral_sentiment_pct,
    round(100.0 * sum(negative_sentiment_calls) / nullif(sum(positive_sentiment_calls + neutral_sentiment_calls + negative_sentiment_calls), 0), 1)::float8
        as negative_sentiment_pct,
    round(100.0 * sum(meetings_booked) / nullif(sum(total_calls), 0), 1)::float8 as overall_conversion_rate,
    coalesce(sum(voicemail_calls), 0)::bigint as voicemail,
    coalesce(sum(callback_requested_calls), 0)::bigint as callback_requested,
    coalesce(sum(not_interested_calls), 0)::bigint as not_interested,
    coalesce(sum(wrong_number_calls), 0)::bigint as wrong_number,
    coalesce(sum(dnc_requested_calls), 0)::bigint as dnc_requested,
    coalesce(sum(gatekeeper_blocked_calls), 0)::bigint as gatekeeper_blocked,
    coalesce(sum(no_answer_calls), 0)::bigint as no_answer,
    coalesce(sum(conversation_calls), 0)::bigint as conversation,
    coalesce(sum(meetings_booked), 0)::bigint as appointment_booked,
    coalesce(sum(emails_sent), 0)::bigint as emails_sent,
    coalesce(sum(sms_sent), 0)::bigint as sms_sent
from call_stats_parts
where agency_id = $1 and stat_date between $2 and $3
