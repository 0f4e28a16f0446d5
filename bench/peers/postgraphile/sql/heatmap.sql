-- One row: the hours of the week that have calls and the best of them, counted from the calls themselves.
create type peer.slot as (
    day integer, hour integer, total_calls integer, connected_calls integer, meetings_booked integer
);
create type peer.best_time as (day integer, hour integer, metric_value integer, label text);
create type peer.heatmap as (slots peer.slot[], best_times peer.best_time[]);

-- It is planned for its filters: without any, it counts from an index alone.
create function peer.viewer_heatmap(v peer.viewer, filters peer.filters) returns peer.heatmap
language sql stable set plan_cache_mode = force_custom_plan as $$
    with slots as materialized (
        select
            extract(dow from h.hour at time zone 'UTC')::integer as day,
            extract(hour from h.hour at time zone 'UTC')::integer as hour,
            sum(h.total_calls)::integer as total_calls,
            sum(h.connected_calls)::integer as connected_calls,
            sum(h.meetings_booked)::integer as meetings_booked
        from (
            select
                date_bin('1 hour', f.started_at, 'epoch') as hour,
                sum(n.total_calls) as total_calls,
                sum(n.connected_calls) as connected_calls,
                sum(n.meetings_booked) as meetings_booked
            from public.calls as f
            cross join lateral public.call_counts(f) as n
            where f.agency_id = v.agency_id
                and f.started_at >= peer_hidden.first_day(filters)::timestamp at time zone 'UTC'
                and f.started_at < (peer_hidden.last_day(filters) + 1)::timestamp at time zone 'UTC'
                and (v.client_id is null or f.client_id = v.client_id)
                and (filters.client_id is null or f.client_id = filters.client_id)
                and (filters.campaign_id is null or f.campaign_id = filters.campaign_id)
            group by 1
        ) as h
        group by 1, 2
    )

    select
        array(select row(s.*)::peer.slot from slots as s order by s.day, s.hour),
        array(
            select row(
                s.day,
                s.hour,
                s.total_calls,
                (array['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'])[s.day + 1]
                || ' ' || lpad(s.hour::text, 2, '0') || ':00'
            )::peer.best_time
            from slots as s
            order by s.total_calls desc, s.day, s.hour
            limit 5
        )
$$;
