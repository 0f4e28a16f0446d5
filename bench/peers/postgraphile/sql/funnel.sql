-- One row: the stages of a range and the rates between them.
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
