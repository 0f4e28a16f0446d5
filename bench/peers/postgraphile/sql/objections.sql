-- One row: the findings together and the commonest of them, counted from the calls themselves.
create type peer.objection as (
    objection text, count integer, handled integer, handling_rate double precision, percentage double precision
);
create type peer.buying_signal as (signal text, count integer, percentage double precision);
create type peer.findings as (
    calls_analyzed integer,
    total_objections integer,
    objection_handling_rate double precision,
    total_buying_signals integer,
    objections peer.objection[],
    buying_signals peer.buying_signal[]
);

-- Counted as they are spelled first: spellings are far fewer than findings, and dear to compare. Planned for its
-- filters: without any, the analysed calls are counted from an index alone.
create function peer.viewer_objections(v peer.viewer, filters peer.filters, most integer) returns peer.findings
language sql stable set plan_cache_mode = force_custom_plan as $$
    with found as (
        select f.objections, f.buying_signals
        from public.calls as f
        where f.agency_id = v.agency_id
            and f.started_at >= peer_hidden.first_day(filters)::timestamp at time zone 'UTC'
            and f.started_at < (peer_hidden.last_day(filters) + 1)::timestamp at time zone 'UTC'
            and (v.client_id is null or f.client_id = v.client_id)
            and (filters.client_id is null or f.client_id = filters.client_id)
            and (filters.campaign_id is null or f.campaign_id = filters.campaign_id)
            and (f.objections <> '[]' or f.buying_signals <> '[]')
    ),

    spelled as (
        select
            'objection' as kind, o.value ->> 'text' as text, count(*) as count,
            count(*) filter (where o.value -> 'handled' = 'true') as handled
        from found
        cross join lateral jsonb_array_elements(found.objections) as o
        group by 2
        union all
        select 'signal', s.value ->> 'text', count(*), 0
        from found
        cross join lateral jsonb_array_elements(found.buying_signals) as s
        group by 2
    ),

    summary as (
        select
            coalesce(sum(s.count) filter (where s.kind = 'objection'), 0) as objections,
            coalesce(sum(s.handled), 0) as handled,
            coalesce(sum(s.count) filter (where s.kind = 'signal'), 0) as signals
        from spelled as s
    ),

    spaced as (
        select
            t.kind,
            btrim(regexp_replace(t.text, '\s+', ' ', 'g')) as text,
            sum(t.count) as count,
            sum(t.handled) as handled
        from spelled as t
        group by 1, 2
    ),

    counted as (
        select
            t.kind,
            (array_agg(t.text order by t.count desc, t.text collate "C"))[1] as text,
            sum(t.count)::integer as count,
            sum(t.handled)::integer as handled,
            row_number() over (partition by t.kind order by sum(t.count) desc, lower(t.text) collate "C") as place
        from spaced as t
        where t.text <> ''
        group by t.kind, lower(t.text)
    )

    select
        (
            select count(*)
            from public.calls as f
            where f.agency_id = v.agency_id
                and f.started_at >= peer_hidden.first_day(filters)::timestamp at time zone 'UTC'
                and f.started_at < (peer_hidden.last_day(filters) + 1)::timestamp at time zone 'UTC'
                and (v.client_id is null or f.client_id = v.client_id)
                and (filters.client_id is null or f.client_id = filters.client_id)
                and (filters.campaign_id is null or f.campaign_id = filters.campaign_id)
                and f.analysis_status = 'completed'
        )::integer,
        s.objections::integer,
        peer_hidden.pct(s.handled, s.objections),
        s.signals::integer,
        array(
            select row(
                c.text, c.count, c.handled, peer_hidden.pct(c.handled, c.count), peer_hidden.pct(c.count, s.objections)
            )::peer.objection
            from counted as c
            where c.kind = 'objection' and c.place <= most
            order by c.place
        ),
        array(
            select row(c.text, c.count, peer_hidden.pct(c.count, s.signals))::peer.buying_signal
            from counted as c
            where c.kind = 'signal' and c.place <= most
            order by c.place
        )
    from summary as s
$$;
