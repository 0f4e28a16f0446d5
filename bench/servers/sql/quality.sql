-- One row for the range, whose date is null, and then one a day that has calls.
select
    stat_date as date,
    round(sum(total_duration_seconds) / nullif(sum(completed_calls), 0))::bigint as avg_duration_seconds,
    round(sum(talk_ratio_sum) / nullif(sum(talk_ratio_calls), 0), 4)::float8 as avg_talk_ratio,
    round(sum(script_adherence_sum) / nullif(sum(script_adherence_calls), 0), 4)::float8 as avg_script_adherence,
    round(100.0 * sum(total_objections_handled) / nullif(sum(objections_encountered), 0), 1)::float8 as objection_handling_rate,
    coalesce(sum(positive_sentiment_calls), 0)::bigint as positive,
    coalesce(sum(neutral_sentiment_calls), 0)::bigint as neutral,
    coalesce(sum(negative_sentiment_calls), 0)::bigint as negative,
    round(100.0 * sum(positive_sentiment_calls) / nullif(sum(positive_sentiment_calls + neutral_sentiment_calls + negative_sentiment_calls), 0), 1)::float8
        as sentiment_positive_pct,
    coalesce(sum(total_interruptions), 0)::bigint as interruptions
from call_stats_parts
where agency_id = $1 and stat_date between $2 and $3
group by grouping sets ((), (stat_date))
order by stat_date nulls first
