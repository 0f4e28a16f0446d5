-- One row for the range (its date is null), and one for each day of it that has calls, oldest first.
select
    s.stat_date as date,
    s.completed_calls as "completedCalls",
    round(1.0 * s.total_duration_seconds / nullif(s.completed_calls, 0)) as "avgDurationSeconds",
    round(s.talk_ratio_sum / nullif(s.talk_ratio_calls, 0), 4) as "avgTalkRatio",
    round(s.listen_ratio_sum / nullif(s.listen_ratio_calls, 0), 4) as "avgListenRatio",
    round(s.script_adherence_sum / nullif(s.script_adherence_calls, 0), 4) as "avgScriptAdherence",
    s.interruptions as "totalInterruptions",
    s.interruptions,
    round(1.0 * s.interruptions / nullif(s.completed_calls, 0), 2) as "avgInterruptionsPerCall",
    round(100.0 * s.handled / nullif(s.objections, 0), 1) as "objectionHandlingRate",
    s.signals as "totalBuyingSignals",
    s.positive,
    s.neutral,
    s.negative,
    round(100.0 * s.positive / nullif(s.positive + s.neutral + s.negative, 0), 1) as "positivePct",
    round(100.0 * s.positive / nullif(s.positive + s.neutral + s.negative, 0), 1) as "sentimentPositivePct",
    round(100.0 * s.neutral / nullif(s.positive + s.neutral + s.negative, 0), 1) as "neutralPct",
    round(100.0 * s.negative / nullif(s.positive + s.neutral + s.negative, 0), 1) as "negativePct"
from (
    select
        f.stat_date,
        coalesce(sum(f.completed_calls), 0) as completed_calls,
        coalesce(sum(f.total_duration_seconds), 0) as total_duration_seconds,
        sum(f.talk_ratio_sum) as talk_ratio_sum,
        sum(f.talk_ratio_calls) as talk_ratio_calls,
        sum(f.listen_ratio_sum) as listen_ratio_sum,
        sum(f.listen_ratio_calls) as listen_ratio_calls,
        sum(f.script_adherence_sum) as script_adherence_sum,
        sum(f.script_adherence_calls) as script_adherence_calls,
        coalesce(sum(f.total_interruptions), 0) as interruptions,
        coalesce(sum(f.total_objections_handled), 0) as handled,
        coalesce(sum(f.objections_encountered), 0) as objections,
        coalesce(sum(f.total_buying_signals), 0) as signals,
        coalesce(sum(f.positive_sentiment_calls), 0) as positive,
        coalesce(sum(f.neutral_sentiment_calls), 0) as neutral,
        coalesce(sum(f.negative_sentiment_calls), 0) as negative
    from call_stats_parts as f
    where f.agency_id = $1 and f.stat_date between $2 and $3 :narrowed
    group by grouping sets ((), (f.stat_date))
) as s
order by s.stat_date nulls first
