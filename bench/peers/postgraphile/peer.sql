-- The schema that PostGraphile serves: a viewer, with a function for each section over the rollup or the calls.
-- Everything hangs on the viewer, so that a dashboard is one statement.
drop schema if exists peer, peer_hidden cascade;
create schema peer;
create schema peer_hidden;

create type peer.period as enum ('TODAY', 'LAST_7_DAYS', 'LAST_30_DAYS', 'LAST_90_DAYS', 'CUSTOM');
create type peer.batch_status as enum (
    'PENDING', 'SCHEDULED', 'PROCESSING', 'PAUSED', 'COMPLETED', 'FAILED', 'CANCELLED'
);
create type peer.filters as (
    period peer.period, start_date date, end_date date, campaign_id uuid, client_id uuid
);

create view peer.viewer as
select id, agency_id, case when role::text like 'client%' then client_id end as client_id
from public.users
where agency_id is not null and (role::text not like 'client%' or client_id is not null);
comment on view peer.viewer is E'@primaryKey id\n@behavior -query:resource:single -query:resource:list -query:resource:connection -resource:insert -resource:update -resource:delete';

create function peer_hidden.first_day(filters peer.filters) returns date language sql stable as $$
    select case filters.period
        when 'CUSTOM' then filters.start_date
        when 'TODAY' then (now() at time zone 'UTC')::date
        when 'LAST_7_DAYS' then (now() at time zone 'UTC')::date - 6
        when 'LAST_30_DAYS' then (now() at time zone 'UTC')::date - 29
        else (now() at time zone 'UTC')::date - 89
    end
$$;

create function peer_hidden.last_day(filters peer.filters) returns date language sql stable as $$
    select case filters.period when 'CUSTOM' then filters.end_date else (now() at time zone 'UTC')::date end
$$;

create function peer_hidden.pct(part numeric, whole numeric) returns double precision language sql immutable as $$
    select round(100.0 * part / nullif(whole, 0), 1)::double precision
$$;

-- The rows of the rollup that a viewer's filters leave.
create function peer_hidden.days(v peer.viewer, filters peer.filters) returns setof public.call_stats_daily
language sql stable as $$
    select f.*
    from public.call_stats_daily as f
    where f.agency_id = v.agency_id
        and f.stat_date between peer_hidden.first_day(filters) and peer_hidden.last_day(filters)
        and (v.client_id is null or f.client_id = v.client_id)
        and (filters.client_id is null or f.client_id = filters.client_id)
        and (filters.campaign_id is null or f.campaign_id = filters.campaign_id)
$$;

create type peer.overview as (
    start_date date,
    end_date date,
    label text,
    total_calls integer,
    completed_calls integer,
    failed_calls integer,
    connected_calls integer,
    contact_rate double precision,
    conversations_had integer,
    meetings_booked integer,
    qualified_leads integer,
    avg_duration_seconds integer,
    total_duration_seconds double precision,
    positive_sentiment_pct double precision,
    neutral_sentiment_pct double precision,
    negative_sentiment_pct double precision,
    overall_conversion_rate double precision,
    voicemail integer,
    callback_requested integer,
    not_interested integer,
    wrong_number integer,
    dnc_requested integer,
    gatekeeper_blocked integer,
    no_answer integer,
    conversation integer,
    appointment_booked integer,
    emails_sent integer,
    sms_sent integer
);

create function peer.viewer_overview(v peer.viewer, filters peer.filters) returns peer.overview
language sql stable as $$
    select
        peer_hidden.first_day(filters),
        peer_hidden.last_day(filters),
        case filters.period
            when 'TODAY' then 'today'
            when 'LAST_7_DAYS' then '7d'
            when 'LAST_30_DAYS' then '30d'
            when 'LAST_90_DAYS' then '90d'
            else 'custom'
        end,
        s.total_calls,
        s.completed_calls,
        s.failed_calls,
        s.connected_calls,
        peer_hidden.pct(s.connected_calls, s.total_calls),
        s.conversations_had,
        s.meetings_booked,
        s.qualified_leads,
        round(1.0 * s.total_duration_seconds / nullif(s.completed_calls, 0)),
        s.total_duration_seconds,
        peer_hidden.pct(s.positive, s.positive + s.neutral + s.negative),
        peer_hidden.pct(s.neutral, s.positive + s.neutral + s.negative),
        peer_hidden.pct(s.negative, s.positive + s.neutral + s.negative),
        peer_hidden.pct(s.meetings_booked, s.total_calls),
        s.voicemail,
        s.callback_requested,
        s.not_interested,
        s.wrong_number,
        s.dnc_requested,
        s.gatekeeper_blocked,
        s.no_answer,
        s.conversation,
        s.meetings_booked,
        s.emails_sent,
        s.sms_sent
    from (
        select
            coalesce(sum(d.total_calls), 0) as total_calls,
            coalesce(sum(d.completed_calls), 0) as completed_calls,
            coalesce(sum(d.failed_calls), 0) as failed_calls,
            coalesce(sum(d.connected_calls), 0) as connected_calls,
            coalesce(sum(d.conversations_had), 0) as conversations_had,
            coalesce(sum(d.meetings_booked), 0) as meetings_booked,
            coalesce(sum(d.qualified_leads), 0) as qualified_leads,
            coalesce(sum(d.total_duration_seconds), 0) as total_duration_seconds,
            coalesce(sum(d.positive_sentiment_calls), 0) as positive,
            coalesce(sum(d.neutral_sentiment_calls), 0) as neutral,
            coalesce(sum(d.negative_sentiment_calls), 0) as negative,
            coalesce(sum(d.voicemail_calls), 0) as voicemail,
            coalesce(sum(d.callback_requested_calls), 0) as callback_requested,
            coalesce(sum(d.not_interested_calls), 0) as not_interested,
            coalesce(sum(d.wrong_number_calls), 0) as wrong_number,
            coalesce(sum(d.dnc_requested_calls), 0) as dnc_requested,
            coalesce(sum(d.gatekeeper_blocked_calls), 0) as gatekeeper_blocked,
            coalesce(sum(d.no_answer_calls), 0) as no_answer,
            coalesce(sum(d.conversation_calls), 0) as conversation,
            coalesce(sum(d.emails_sent), 0) as emails_sent,
            coalesce(sum(d.sms_sent), 0) as sms_sent
        from peer_hidden.days(v, filters) as d
    ) as s
$$;

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

create type peer.funnel as (
    total_calls integer,
    connected integer,
    conversation integer,
    qualified integer,
    appointment_booked integer,
    contact_rate double precision,
    connected_to_conversation double precision,
    conversation_to_qualified double precision,
    qualified_to_booked double precision,
    overall_conversion double precision
);

create function peer.viewer_funnel(v peer.viewer, filters peer.filters) returns peer.funnel
language sql stable as $$
    select
        s.total_calls,
        s.connected,
        s.conversation,
        s.qualified,
        s.booked,
        peer_hidden.pct(s.connected, s.total_calls),
        peer_hidden.pct(s.conversation, s.connected),
        peer_hidden.pct(s.qualified, s.conversation),
        peer_hidden.pct(s.booked, s.qualified),
        peer_hidden.pct(s.booked, s.total_calls)
    from (
        select
            coalesce(sum(d.total_calls), 0) as total_calls,
            coalesce(sum(d.connected_calls), 0) as connected,
            coalesce(sum(d.conversations_had), 0) as conversation,
            coalesce(sum(d.qualified_leads), 0) as qualified,
            coalesce(sum(d.meetings_booked), 0) as booked
        from peer_hidden.days(v, filters) as d
    ) as s
$$;

create type peer.batch as (
    id uuid,
    campaign_id uuid,
    status peer.batch_status,
    total_calls integer,
    completed_count integer,
    failed_count integer,
    progress_pct integer,
    created_at timestamptz
);
create type peer.batch_page as (total integer, has_more boolean, batches peer.batch[]);

create function peer.viewer_batches(
    v peer.viewer, filters peer.filters, page_size integer, skipped integer, status peer.batch_status default null
) returns peer.batch_page
language sql stable as $$
    with matching as (
        select b.agency_id, b.id, b.created_at
        from public.call_batches as b
        left join public.campaigns as c on c.agency_id = b.agency_id and c.id = b.campaign_id
        where b.agency_id = v.agency_id
            and (viewer_batches.status is null or b.status::text = lower(viewer_batches.status::text))
            and (filters.campaign_id is null or b.campaign_id = filters.campaign_id)
            and (v.client_id is null or c.client_id = v.client_id)
            and (filters.client_id is null or c.client_id = filters.client_id)
    ),

    page as (
        select agency_id, id, created_at
        from matching
        order by created_at desc, id
        limit page_size offset skipped
    )

    select
        t.total::integer,
        t.total > skipped + page_size,
        array(
            select row(
                b.id, b.campaign_id, upper(b.status::text)::peer.batch_status, b.total_calls, b.completed_count,
                b.failed_count, b.progress_pct, b.created_at
            )::peer.batch
            from page as p
            join public.v_call_batch_summary as b on b.agency_id = p.agency_id and b.id = p.id
            order by p.created_at desc, p.id
        )
    from (select count(*) as total from matching) as t
$$;

create type peer.campaign_stats as (
    campaign_id uuid,
    campaign_name text,
    total_calls integer,
    connected_calls integer,
    meetings_booked integer,
    contact_rate double precision,
    conversion_rate double precision
);

create function peer.viewer_campaign_stats(v peer.viewer, filters peer.filters) returns setof peer.campaign_stats
language sql stable as $$
    select
        s.campaign_id,
        c.name,
        s.total_calls::integer,
        s.connected_calls::integer,
        s.meetings_booked::integer,
        peer_hidden.pct(s.connected_calls, s.total_calls),
        peer_hidden.pct(s.meetings_booked, s.total_calls)
    from (
        select
            d.campaign_id,
            sum(d.total_calls) as total_calls,
            sum(d.connected_calls) as connected_calls,
            sum(d.meetings_booked) as meetings_booked
        from peer_hidden.days(v, filters) as d
        where d.campaign_id is not null
        group by d.campaign_id
    ) as s
    join public.campaigns as c on c.agency_id = v.agency_id and c.id = s.campaign_id
    order by s.total_calls desc, c.name collate "C", s.campaign_id
$$;

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

-- The two over the calls are planned for their filters: without any, they count from an index alone.
create type peer.slot as (
    day integer, hour integer, total_calls integer, connected_calls integer, meetings_booked integer
);
create type peer.best_time as (day integer, hour integer, metric_value integer, label text);
create type peer.heatmap as (slots peer.slot[], best_times peer.best_time[]);

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

-- Counted as they are spelled first: spellings are far fewer than findings, and dear to compare.
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
