-- One row with a page of batches, newest first; and one row a campaign that has calls in the range, most calls first.
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
