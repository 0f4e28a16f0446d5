-- migrate:up
-- Keeps the rollup equal to a recount of `calls`, in the transaction that changes them.

-- What the transaction at hand has changed so far. A row lives from a statement to its transaction's commit and is
-- never committed, so the table needs no write-ahead log.
create unlogged table call_stats_changes (
    transaction_id xid8 not null default pg_current_xact_id(),
    agency_id uuid not null,
    stat_date date not null,
    campaign_id uuid,
    client_id uuid,
    total_calls bigint not null,
    completed_calls bigint not null,
    failed_calls bigint not null,
    connected_calls bigint not null,
    conversations_had bigint not null,
    meetings_booked bigint not null,
    qualified_leads bigint not null,
    total_duration_seconds bigint not null,
    inbound_calls bigint not null,
    outbound_calls bigint not null,
    positive_sentiment_calls bigint not null,
    neutral_sentiment_calls bigint not null,
    negative_sentiment_calls bigint not null,
    objections_encountered bigint not null,
    issues_resolved bigint not null,
    escalations bigint not null,
    voicemail_calls bigint not null,
    callback_requested_calls bigint not null,
    not_interested_calls bigint not null,
    wrong_number_calls bigint not null,
    dnc_requested_calls bigint not null,
    gatekeeper_blocked_calls bigint not null,
    no_answer_calls bigint not null,
    conversation_calls bigint not null,
    total_interruptions bigint not null,
    total_objections_handled bigint not null,
    total_buying_signals bigint not null,
    emails_sent bigint not null,
    sms_sent bigint not null,
    talk_ratio_sum numeric not null,
    talk_ratio_calls bigint not null,
    listen_ratio_sum numeric not null,
    listen_ratio_calls bigint not null,
    script_adherence_sum numeric not null,
    script_adherence_calls bigint not null
);
create index call_stats_changes_mine on call_stats_changes (transaction_id);

-- Notes what a statement's calls count for, with sign +1 for rows that came and -1 for rows that went (an update is
-- both). One function for all of them: each trigger names its transition table `touched`.
create function note_call_changes() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    sign constant integer := tg_argv[0];
begin
    perform set_config('call_stats.applied_in', '', true);
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
    select
        c.agency_id, call_day(c.started_at), c.campaign_id, c.client_id,
        sign * sum(n.total_calls), sign * sum(n.completed_calls), sign * sum(n.failed_calls), sign *
        sum(n.connected_calls), sign * sum(n.conversations_had), sign * sum(n.meetings_booked), sign *
        sum(n.qualified_leads), sign * sum(n.total_duration_seconds), sign * sum(n.inbound_calls), sign *
        sum(n.outbound_calls), sign * sum(n.positive_sentiment_calls), sign * sum(n.neutral_sentiment_calls), sign *
        sum(n.negative_sentiment_calls), sign * sum(n.objections_encountered), sign * sum(n.issues_resolved), sign *
        sum(n.escalations), sign * sum(n.voicemail_calls), sign * sum(n.callback_requested_calls), sign *
        sum(n.not_interested_calls), sign * sum(n.wrong_number_calls), sign * sum(n.dnc_requested_calls), sign *
        sum(n.gatekeeper_blocked_calls), sign * sum(n.no_answer_calls), sign * sum(n.conversation_calls), sign *
        sum(n.total_interruptions), sign * sum(n.total_objections_handled), sign * sum(n.total_buying_signals), sign
        * sum(n.emails_sent), sign * sum(n.sms_sent), sign * sum(n.talk_ratio_sum), sign * sum(n.talk_ratio_calls),
        sign * sum(n.listen_ratio_sum), sign * sum(n.listen_ratio_calls), sign * sum(n.script_adherence_sum), sign *
        sum(n.script_adherence_calls)
    from touched as c
    cross join lateral call_counts(c::calls) as n
    group by c.agency_id, call_day(c.started_at), c.campaign_id, c.client_id;
    return null;
end
$$;

-- Adds the transaction's changes to the rollup, at commit and in key order: two transactions therefore take the rows
-- they share in the same order and can never wait for each other in a circle, whatever order they changed calls in.
create function apply_call_changes() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    touched record;
begin
    -- Queued once for each note, of which the first applies them all. The others must not look for more: each would
    -- pass over every note that is deleted and not yet vacuumed, so a large transaction would take the square of its size.
    if current_setting('call_stats.applied_in', true) = pg_current_xact_id()::text then
        return null;
    end if;
    perform set_config('call_stats.applied_in', pg_current_xact_id()::text, true);
    for touched in
        with changes as (
            delete from call_stats_changes where transaction_id = pg_current_xact_id() returning *
        ),
        net as (
            select
                agency_id, stat_date, campaign_id, client_id,
                sum(total_calls) as total_calls, sum(completed_calls) as completed_calls, sum(failed_calls) as
                failed_calls, sum(connected_calls) as connected_calls, sum(conversations_had) as conversations_had,
                sum(meetings_booked) as meetings_booked, sum(qualified_leads) as qualified_leads,
                sum(total_duration_seconds) as total_duration_seconds, sum(inbound_calls) as inbound_calls,
                sum(outbound_calls) as outbound_calls, sum(positive_sentiment_calls) as positive_sentiment_calls,
                sum(neutral_sentiment_calls) as neutral_sentiment_calls, sum(negative_sentiment_calls) as
                negative_sentiment_calls, sum(objections_encountered) as objections_encountered,
                sum(issues_resolved) as issues_resolved, sum(escalations) as escalations, sum(voicemail_calls) as
                voicemail_calls, sum(callback_requested_calls) as callback_requested_calls,
                sum(not_interested_calls) as not_interested_calls, sum(wrong_number_calls) as wrong_number_calls,
                sum(dnc_requested_calls) as dnc_requested_calls, sum(gatekeeper_blocked_calls) as
                gatekeeper_blocked_calls, sum(no_answer_calls) as no_answer_calls, sum(conversation_calls) as
                conversation_calls, sum(total_interruptions) as total_interruptions, sum(total_objections_handled)
                as total_objections_handled, sum(total_buying_signals) as total_buying_signals, sum(emails_sent) as
                emails_sent, sum(sms_sent) as sms_sent, sum(talk_ratio_sum) as talk_ratio_sum, sum(talk_ratio_calls)
                as talk_ratio_calls, sum(listen_ratio_sum) as listen_ratio_sum, sum(listen_ratio_calls) as
                listen_ratio_calls, sum(script_adherence_sum) as script_adherence_sum, sum(script_adherence_calls)
                as script_adherence_calls
            from changes
            group by agency_id, stat_date, campaign_id, client_id
        )
        insert into call_stats_daily as s (
            agency_id, stat_date, campaign_id, client_id,
            total_calls, completed_calls, failed_calls, connected_calls, conversations_had, meetings_booked,
            qualified_leads, total_duration_seconds, inbound_calls, outbound_calls, positive_sentiment_calls,
            neutral_sentiment_calls, negative_sentiment_calls, objections_encountered, issues_resolved, escalations,
            voicemail_calls, callback_requested_calls, not_interested_calls, wrong_number_calls,
            dnc_requested_calls, gatekeeper_blocked_calls, no_answer_calls, conversation_calls, total_interruptions,
            total_objections_handled, total_buying_signals, emails_sent, sms_sent, talk_ratio_sum, talk_ratio_calls,
            listen_ratio_sum, listen_ratio_calls, script_adherence_sum, script_adherence_calls
        )
        select
            agency_id, stat_date, campaign_id, client_id,
            total_calls, completed_calls, failed_calls, connected_calls, conversations_had, meetings_booked,
            qualified_leads, total_duration_seconds, inbound_calls, outbound_calls, positive_sentiment_calls,
            neutral_sentiment_calls, negative_sentiment_calls, objections_encountered, issues_resolved, escalations,
            voicemail_calls, callback_requested_calls, not_interested_calls, wrong_number_calls,
            dnc_requested_calls, gatekeeper_blocked_calls, no_answer_calls, conversation_calls, total_interruptions,
            total_objections_handled, total_buying_signals, emails_sent, sms_sent, talk_ratio_sum, talk_ratio_calls,
            listen_ratio_sum, listen_ratio_calls, script_adherence_sum, script_adherence_calls
        from net
        where 0 <> any (array[
            total_calls, completed_calls, failed_calls, connected_calls, conversations_had, meetings_booked,
            qualified_leads, total_duration_seconds, inbound_calls, outbound_calls, positive_sentiment_calls,
            neutral_sentiment_calls, negative_sentiment_calls, objections_encountered, issues_resolved, escalations,
            voicemail_calls, callback_requested_calls, not_interested_calls, wrong_number_calls,
            dnc_requested_calls, gatekeeper_blocked_calls, no_answer_calls, conversation_calls, total_interruptions,
            total_objections_handled, total_buying_signals, emails_sent, sms_sent, talk_ratio_sum, talk_ratio_calls,
            listen_ratio_sum, listen_ratio_calls, script_adherence_sum, script_adherence_calls
        ])
        order by agency_id, stat_date, campaign_id, client_id
        on conflict (agency_id, stat_date, campaign_id, client_id) do update set
            total_calls = s.total_calls + excluded.total_calls,
            completed_calls = s.completed_calls + excluded.completed_calls,
            failed_calls = s.failed_calls + excluded.failed_calls,
            connected_calls = s.connected_calls + excluded.connected_calls,
            conversations_had = s.conversations_had + excluded.conversations_had,
            meetings_booked = s.meetings_booked + excluded.meetings_booked,
            qualified_leads = s.qualified_leads + excluded.qualified_leads,
            total_duration_seconds = s.total_duration_seconds + excluded.total_duration_seconds,
            inbound_calls = s.inbound_calls + excluded.inbound_calls,
            outbound_calls = s.outbound_calls + excluded.outbound_calls,
            positive_sentiment_calls = s.positive_sentiment_calls + excluded.positive_sentiment_calls,
            neutral_sentiment_calls = s.neutral_sentiment_calls + excluded.neutral_sentiment_calls,
            negative_sentiment_calls = s.negative_sentiment_calls + excluded.negative_sentiment_calls,
            objections_encountered = s.objections_encountered + excluded.objections_encountered,
            issues_resolved = s.issues_resolved + excluded.issues_resolved,
            escalations = s.escalations + excluded.escalations,
            voicemail_calls = s.voicemail_calls + excluded.voicemail_calls,
            callback_requested_calls = s.callback_requested_calls + excluded.callback_requested_calls,
            not_interested_calls = s.not_interested_calls + excluded.not_interested_calls,
            wrong_number_calls = s.wrong_number_calls + excluded.wrong_number_calls,
            dnc_requested_calls = s.dnc_requested_calls + excluded.dnc_requested_calls,
            gatekeeper_blocked_calls = s.gatekeeper_blocked_calls + excluded.gatekeeper_blocked_calls,
            no_answer_calls = s.no_answer_calls + excluded.no_answer_calls,
            conversation_calls = s.conversation_calls + excluded.conversation_calls,
            total_interruptions = s.total_interruptions + excluded.total_interruptions,
            total_objections_handled = s.total_objections_handled + excluded.total_objections_handled,
            total_buying_signals = s.total_buying_signals + excluded.total_buying_signals,
            emails_sent = s.emails_sent + excluded.emails_sent,
            sms_sent = s.sms_sent + excluded.sms_sent,
            talk_ratio_sum = s.talk_ratio_sum + excluded.talk_ratio_sum,
            talk_ratio_calls = s.talk_ratio_calls + excluded.talk_ratio_calls,
            listen_ratio_sum = s.listen_ratio_sum + excluded.listen_ratio_sum,
            listen_ratio_calls = s.listen_ratio_calls + excluded.listen_ratio_calls,
            script_adherence_sum = s.script_adherence_sum + excluded.script_adherence_sum,
            script_adherence_calls = s.script_adherence_calls + excluded.script_adherence_calls,
            updated_at = now()
        returning s.ctid as place, s.total_calls
    loop
        -- A day without calls has no row. One that was damaged may hold other counts still: it waits for its repair.
        if touched.total_calls = 0 then
            delete from call_stats_daily
            where ctid = touched.place and 0 = all (array[
                total_calls, completed_calls, failed_calls, connected_calls, conversations_had, meetings_booked,
                qualified_leads, total_duration_seconds, inbound_calls, outbound_calls, positive_sentiment_calls,
                neutral_sentiment_calls, negative_sentiment_calls, objections_encountered, issues_resolved, escalations,
                voicemail_calls, callback_requested_calls, not_interested_calls, wrong_number_calls,
                dnc_requested_calls, gatekeeper_blocked_calls, no_answer_calls, conversation_calls, total_interruptions,
                total_objections_handled, total_buying_signals, emails_sent, sms_sent, talk_ratio_sum, talk_ratio_calls,
                listen_ratio_sum, listen_ratio_calls, script_adherence_sum, script_adherence_calls
            ]);
        end if;
    end loop;
    return null;
end
$$;

create constraint trigger apply_at_commit after insert on call_stats_changes
deferrable initially deferred
for each row execute function apply_call_changes();

create trigger calls_count_inserted after insert on calls
referencing new table as touched
for each statement execute function note_call_changes('1');
create trigger calls_count_deleted after delete on calls
referencing old table as touched
for each statement execute function note_call_changes('-1');
create trigger calls_count_updated_from after update on calls
referencing old table as touched
for each statement execute function note_call_changes('-1');
create trigger calls_count_updated_to after update on calls
referencing new table as touched
for each statement execute function note_call_changes('1');

create function forget_call_stats() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    delete from call_stats_changes where transaction_id = pg_current_xact_id();
    delete from call_stats_daily;
    return null;
end
$$;
create trigger calls_count_truncated after truncate on calls
for each statement execute function forget_call_stats();

-- migrate:down
-- Forward only.
