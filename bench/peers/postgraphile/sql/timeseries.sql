-- One row a day that has calls, oldest first.
create type peer.day as (
    date date,
    total_calls integer,
    completed_calls integer,
    connected_calls integer,
    conversations_had integer,
    meetings_booked integer,
    qualified_leads integer,
    avg_duration_seconds integer,
    avg_talk_ratio double precision
);

create function peer.viewer_timeseries(v peer.viewer, filters peer.filters) returns setof peer.day
language sql stable as $$
    select
        d.stat_date,
        sum(d.total_calls)::integer,
        sum(d.completed_calls)::integer,
        sum(d.connected_calls)::integer,
        sum(d.conversations_had)::integer,
        sum(d.meetings_booked)::integer,
        sum(d.qualified_leads)::integer,
        round(1.0 * sum(d.total_duration_seconds) / nullif(sum(d.completed_calls), 0))::integer,
        round(sum(d.talk_ratio_sum) / nullif(sum(d.talk_ratio_calls), 0), 4)::double precision
    from peer_hidden.days(v, filters) as d
    group by d.stat_date
    order by d.stat_date
$$;
