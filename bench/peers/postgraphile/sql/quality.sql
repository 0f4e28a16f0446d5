-- One row for the range; and one row a day that has calls, oldest first.
create type peer.quality as (
    avg_duration_seconds integer,
    avg_talk_ratio double precision,
    avg_script_adherence double precision,
    objection_handling_rate double precision,
    positive integer,
    neutral integer,
    negative integer
);

create function peer.viewer_quality(v peer.viewer, filters peer.filters) returns peer.quality
language sql stable as $$
    select
        round(1.0 * sum(d.total_duration_seconds) / nullif(sum(d.completed_calls), 0)),
        round(sum(d.talk_ratio_sum) / nullif(sum(d.talk_ratio_calls), 0), 4),
        round(sum(d.script_adherence_sum) / nullif(sum(d.script_adherence_calls), 0), 4),
        peer_hidden.pct(sum(d.total_objections_handled), sum(d.objections_encountered)),
        coalesce(sum(d.positive_sentiment_calls), 0),
        coalesce(sum(d.neutral_sentiment_calls), 0),
        coalesce(sum(d.negative_sentiment_calls), 0)
    from peer_hidden.days(v, filters) as d
$$;

create type peer.quality_day as (
    date date,
    avg_script_adherence double precision,
    sentiment_positive_pct double precision,
    interruptions integer
);

create function peer.viewer_trend(v peer.viewer, filters peer.filters) returns setof peer.quality_day
language sql stable as $$
    select
        d.stat_date,
        round(sum(d.script_adherence_sum) / nullif(sum(d.script_adherence_calls), 0), 4)::double precision,
        peer_hidden.pct(
            sum(d.positive_sentiment_calls),
            sum(d.positive_sentiment_calls) + sum(d.neutral_sentiment_calls) + sum(d.negative_sentiment_calls)
        ),
        sum(d.total_interruptions)::integer
    from peer_hidden.days(v, filters) as d
    group by d.stat_date
    order by d.stat_date
$$;
