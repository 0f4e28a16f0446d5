-- One row: what the overview shows of a range.
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
