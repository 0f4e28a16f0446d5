-- migrate:up
-- Finds where the rollup differs from the calls, and repairs it.

-- One row for each (agency, day, campaign, client) where the rollup is not what the calls add up to, with what is
-- missing (or, negative, too much). `calls` and the rollup change in the same transaction, so the one snapshot this
-- reads makes the difference exact, whoever is writing meanwhile. What the transaction at hand has noted and not yet
-- added is no drift: it is on its way. Null agency: all of them.
create function call_stats_drift(agency uuid, from_day date, to_day date) returns table (
    agency_id uuid, stat_date date, campaign_id uuid, client_id uuid,
    total_calls numeric, completed_calls numeric, failed_calls numeric, connected_calls numeric, conversations_had
    numeric, meetings_booked numeric, qualified_leads numeric, total_duration_seconds numeric, inbound_calls
    numeric, outbound_calls numeric, positive_sentiment_calls numeric, neutral_sentiment_calls numeric,
    negative_sentiment_calls numeric, objections_encountered numeric, issues_resolved numeric, escalations numeric,
    voicemail_calls numeric, callback_requested_calls numeric, not_interested_calls numeric, wrong_number_calls
    numeric, dnc_requested_calls numeric, gatekeeper_blocked_calls numeric, no_answer_calls numeric,
    conversation_calls numeric, total_interruptions numeric, total_objections_handled numeric, total_buying_signals
    numeric, emails_sent numeric, sms_sent numeric, talk_ratio_sum numeric, talk_ratio_calls numeric,
    listen_ratio_sum numeric, listen_ratio_calls numeric, script_adherence_sum numeric, script_adherence_calls
    numeric
) language sql stable set search_path = public, pg_temp as $$
    select
        agency_id, stat_date, campaign_id, client_id,
        sum(sign * total_calls), sum(sign * completed_calls), sum(sign * failed_calls), sum(sign * connected_calls),
        sum(sign * conversations_had), sum(sign * meetings_booked), sum(sign * qualified_leads), sum(sign *
        total_duration_seconds), sum(sign * inbound_calls), sum(sign * outbound_calls), sum(sign *
        positive_sentiment_calls), sum(sign * neutral_sentiment_calls), sum(sign * negative_sentiment_calls),
        sum(sign * objections_encountered), sum(sign * issues_resolved), sum(sign * escalations), sum(sign *
        voicemail_calls), sum(sign * callback_requested_calls), sum(sign * not_interested_calls), sum(sign *
        wrong_number_calls), sum(sign * dnc_requested_calls), sum(sign * gatekeeper_blocked_calls), sum(sign *
        no_answer_calls), sum(sign * conversation_calls), sum(sign * total_interruptions), sum(sign *
        total_objections_handled), sum(sign * total_buying_signals), sum(sign * emails_sent), sum(sign * sms_sent),
        sum(sign * talk_ratio_sum), sum(sign * talk_ratio_calls), sum(sign * listen_ratio_sum), sum(sign *
        listen_ratio_calls), sum(sign * script_adherence_sum), sum(sign * script_adherence_calls)
    from (
        select 1 as sign, c.agency_id, call_day(c.started_at) as stat_date, c.campaign_id, c.client_id, n.*
        from calls as c
        cross join lateral call_counts(c) as n
        where (agency is null or c.agency_id = agency)
            and c.started_at >= from_day::timestamp at time zone 'UTC'
            and c.started_at < (to_day + 1)::timestamp at time zone 'UTC'
        union all
        select
            -1, s.agency_id, s.stat_date, s.campaign_id, s.client_id,
            s.total_calls, s.completed_calls, s.failed_calls, s.connected_calls, s.conversations_had,
            s.meetings_booked, s.qualified_leads, s.total_duration_seconds, s.inbound_calls, s.outbound_calls,
            s.positive_sentiment_calls, s.neutral_sentiment_calls, s.negative_sentiment_calls,
            s.objections_encountered, s.issues_resolved, s.escalations, s.voicemail_calls,
            s.callback_requested_calls, s.not_interested_calls, s.wrong_number_calls, s.dnc_requested_calls,
            s.gatekeeper_blocked_calls, s.no_answer_calls, s.conversation_calls, s.total_interruptions,
            s.total_objections_handled, s.total_buying_signals, s.emails_sent, s.sms_sent, s.talk_ratio_sum,
            s.talk_ratio_calls, s.listen_ratio_sum, s.listen_ratio_calls, s.script_adherence_sum,
            s.script_adherence_calls
        from call_stats_daily as s
        where (agency is null or s.agency_id = agency) and s.stat_date between from_day and to_day
        union all
        select
            -1, p.agency_id, p.stat_date, p.campaign_id, p.client_id,
            p.total_calls, p.completed_calls, p.failed_calls, p.connected_calls, p.conversations_had,
            p.meetings_booked, p.qualified_leads, p.total_duration_seconds, p.inbound_calls, p.outbound_calls,
            p.positive_sentiment_calls, p.neutral_sentiment_calls, p.negative_sentiment_calls,
            p.objections_encountered, p.issues_resolved, p.escalations, p.voicemail_calls,
            p.callback_requested_calls, p.not_interested_calls, p.wrong_number_calls, p.dnc_requested_calls,
            p.gatekeeper_blocked_calls, p.no_answer_calls, p.conversation_calls, p.total_interruptions,
            p.total_objections_handled, p.total_buying_signals, p.emails_sent, p.sms_sent, p.talk_ratio_sum,
            p.talk_ratio_calls, p.listen_ratio_sum, p.listen_ratio_calls, p.script_adherence_sum,
            p.script_adherence_calls
        from call_stats_changes as p
        where p.transaction_id = pg_current_xact_id_if_assigned()
            and (agency is null or p.agency_id = agency) and p.stat_date between from_day and to_day
    ) as sides
    group by agency_id, stat_date, campaign_id, client_id
    having 0 <> any (array[
        sum(sign * total_calls), sum(sign * completed_calls), sum(sign * failed_calls), sum(sign * connected_calls),
        sum(sign * conversations_had), sum(sign * meetings_booked), sum(sign * qualified_leads), sum(sign *
        total_duration_seconds), sum(sign * inbound_calls), sum(sign * outbound_calls), sum(sign *
        positive_sentiment_calls), sum(sign * neutral_sentiment_calls), sum(sign * negative_sentiment_calls),
        sum(sign * objections_encountered), sum(sign * issues_resolved), sum(sign * escalations), sum(sign *
        voicemail_calls), sum(sign * callback_requested_calls), sum(sign * not_interested_calls), sum(sign *
        wrong_number_calls), sum(sign * dnc_requested_calls), sum(sign * gatekeeper_blocked_calls), sum(sign *
        no_answer_calls), sum(sign * conversation_calls), sum(sign * total_interruptions), sum(sign *
        total_objections_handled), sum(sign * total_buying_signals), sum(sign * emails_sent), sum(sign * sms_sent),
        sum(sign * talk_ratio_sum), sum(sign * talk_ratio_calls), sum(sign * listen_ratio_sum), sum(sign *
        listen_ratio_calls), sum(sign * script_adherence_sum), sum(sign * script_adherence_calls)
    ])
$$;

-- Posts the drift as one more change of this transaction and gives the number of rows repaired. Adding a difference
-- commutes with what others add meanwhile, so nobody is locked out; only two repairs must not post the same one.
create function repair_call_stats(agency uuid, from_day date, to_day date) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    repaired bigint;
begin
    perform set_config('call_stats.applied_in', '', true);
    perform pg_advisory_xact_lock(hashtextextended('repair_call_stats', 0));
    insert into call_stats_changes (
        agency_id, stat_date, campaign_id, client_id,
        total_calls, completed_calls, failed_calls, connected_calls, conversations_had, meetings_booked,
        qualified_leads, total_duration_seconds, inbound_calls, outbound_calls, positive_sentiment_calls,
        neutral_sentiment_calls, negative_sentiment_calls, objections_encountered, issues_resolved, escalations,
        voicemail_calls, callback_requested_calls, not_interested_calls, wrong_number_calls, dnc_requested_calls,
        gatekeeper_blocked_calls, no_answer_calls, conversation_calls, total_interruptions,
        total_objections_handled, total_buying_signals, emails_sent, sms_sent, talk_ratio_sum, talk_ratio_calls,
        listen_ratio_sum, listen_ratio_calls, script_adherence_sum, script_adherence_calls
    )
    select * from call_stats_drift(agency, from_day, to_day);
    get diagnostics repaired = row_count;
    return repaired;
end
$$;

-- migrate:down
-- Forward only.
