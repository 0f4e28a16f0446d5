-- migrate:up
-- What one call counts for, and the daily rollup that is always the sum of it.

-- The one definition of every counter. Triggers, the scheduled recount, `gateway rebuild` and raw reads all use it;
-- nothing else may. It is a plain expression over its argument, so PostgreSQL inlines it wherever it is called.
-- An average is kept as its sum and the number of calls behind it: both add up, an average does not.
create function call_counts(c calls) returns table (
    total_calls integer,
    completed_calls integer,
    failed_calls integer,
    connected_calls integer,
    conversations_had integer,
    meetings_booked integer,
    qualified_leads integer,
    total_duration_seconds integer,
    inbound_calls integer,
    outbound_calls integer,
    positive_sentiment_calls integer,
    neutral_sentiment_calls integer,
    negative_sentiment_calls integer,
    objections_encountered integer,
    issues_resolved integer,
    escalations integer,
    voicemail_calls integer,
    callback_requested_calls integer,
    not_interested_calls integer,
    wrong_number_calls integer,
    dnc_requested_calls integer,
    gatekeeper_blocked_calls integer,
    no_answer_calls integer,
    conversation_calls integer,
    total_interruptions integer,
    total_objections_handled integer,
    total_buying_signals integer,
    emails_sent integer,
    sms_sent integer,
    talk_ratio_sum numeric,
    talk_ratio_calls integer,
    listen_ratio_sum numeric,
    listen_ratio_calls integer,
    script_adherence_sum numeric,
    script_adherence_calls integer
) language sql immutable parallel safe as $$
    select
        1,
        (c.status = 'completed')::integer,
        (c.status = 'failed')::integer,
        f.connected::integer,
        f.conversation::integer,
        f.booked::integer,
        (f.conversation and (c.is_qualified_lead or f.booked))::integer,
        case when c.status = 'completed' then coalesce(c.duration_seconds, 0) else 0 end,
        (c.direction = 'inbound')::integer,
        (c.direction = 'outbound')::integer,
        coalesce((c.sentiment = 'positive')::integer, 0),
        coalesce((c.sentiment = 'neutral')::integer, 0),
        coalesce((c.sentiment = 'negative')::integer, 0),
        jsonb_array_length(c.objections),
        c.issue_resolved::integer,
        c.escalated::integer,
        coalesce((c.disposition = 'voicemail')::integer, 0),
        coalesce((c.disposition = 'callback_requested')::integer, 0),
        coalesce((c.disposition = 'not_interested')::integer, 0),
        coalesce((c.disposition = 'wrong_number')::integer, 0),
        coalesce((c.disposition = 'dnc_requested')::integer, 0),
        coalesce((c.disposition = 'gatekeeper_blocked')::integer, 0),
        coalesce((c.disposition = 'no_answer')::integer, 0),
        coalesce((c.disposition = 'conversation')::integer, 0),
        coalesce(c.interruptions, 0),
        jsonb_array_length(jsonb_path_query_array(c.objections, 'strict $[*] ? (@.handled == true)')),
        jsonb_array_length(c.buying_signals),
        c.emails_sent,
        c.sms_sent,
        case when c.status = 'completed' then coalesce(c.talk_ratio, 0) else 0 end,
        (c.status = 'completed' and c.talk_ratio is not null)::integer,
        case when c.status = 'completed' then coalesce(c.listen_ratio, 0) else 0 end,
        (c.status = 'completed' and c.listen_ratio is not null)::integer,
        case when c.status = 'completed' then coalesce(c.script_adherence, 0) else 0 end,
        (c.status = 'completed' and c.script_adherence is not null)::integer
    from (
        select
            a.connected,
            a.connected and coalesce(
                c.disposition in ('conversation', 'appointment_booked', 'callback_requested', 'not_interested'), false
            ) as conversation,
            a.connected and coalesce(c.disposition = 'appointment_booked', false) as booked
        from (
            select c.joined_at is not null
                and coalesce(c.disposition not in ('voicemail', 'no_answer'), true) as connected
        ) as a
    ) as f
$$;

-- The UTC day a call belongs to.
create function call_day(started_at timestamptz) returns date
language sql immutable parallel safe as $$ select (started_at at time zone 'UTC')::date $$;

-- No foreign keys: it is derived, and follows `calls` through every change of theirs.
create table call_stats_daily (
    stat_date date not null,
    agency_id uuid not null,
    campaign_id uuid,
    client_id uuid,
    total_calls bigint not null default 0,
    completed_calls bigint not null default 0,
    failed_calls bigint not null default 0,
    connected_calls bigint not null default 0,
    conversations_had bigint not null default 0,
    meetings_booked bigint not null default 0,
    qualified_leads bigint not null default 0,
    total_duration_seconds bigint not null default 0,
    inbound_calls bigint not null default 0,
    outbound_calls bigint not null default 0,
    positive_sentiment_calls bigint not null default 0,
    neutral_sentiment_calls bigint not null default 0,
    negative_sentiment_calls bigint not null default 0,
    objections_encountered bigint not null default 0,
    issues_resolved bigint not null default 0,
    escalations bigint not null default 0,
    voicemail_calls bigint not null default 0,
    callback_requested_calls bigint not null default 0,
    not_interested_calls bigint not null default 0,
    wrong_number_calls bigint not null default 0,
    dnc_requested_calls bigint not null default 0,
    gatekeeper_blocked_calls bigint not null default 0,
    no_answer_calls bigint not null default 0,
    conversation_calls bigint not null default 0,
    total_interruptions bigint not null default 0,
    total_objections_handled bigint not null default 0,
    total_buying_signals bigint not null default 0,
    emails_sent bigint not null default 0,
    sms_sent bigint not null default 0,
    talk_ratio_sum numeric not null default 0,
    talk_ratio_calls bigint not null default 0,
    listen_ratio_sum numeric not null default 0,
    listen_ratio_calls bigint not null default 0,
    script_adherence_sum numeric not null default 0,
    script_adherence_calls bigint not null default 0,
    avg_duration_seconds numeric generated always as (round(total_duration_seconds::numeric / nullif(completed_calls, 0), 4)) stored,
    avg_talk_ratio numeric generated always as (round(talk_ratio_sum / nullif(talk_ratio_calls, 0), 4)) stored,
    avg_listen_ratio numeric generated always as (round(listen_ratio_sum / nullif(listen_ratio_calls, 0), 4)) stored,
    avg_script_adherence numeric generated always as (round(script_adherence_sum / nullif(script_adherence_calls, 0), 4)) stored,
    updated_at timestamptz not null default now(),
    unique nulls not distinct (agency_id, stat_date, campaign_id, client_id)
) with (fillfactor = 80);
create index call_stats_daily_by_campaign on call_stats_daily (agency_id, campaign_id, stat_date);
create index call_stats_daily_by_client on call_stats_daily (agency_id, client_id, stat_date);

-- migrate:down
-- Forward only.
