-- migrate:up
-- The fold that adds the log of changes to the rollups.

set local lock_timeout = '10s';
set local statement_timeout = '60s';

-- Adds to the rollups what is in the log and can be seen, and takes it out of there: the changes of all agencies, or of one.
-- With days, also what the rollups of that one agency differ by from its calls of these days. Gives the number of rows
-- that differed.
-- One at a time, so nobody waits for a row: the caller holds the lock, and took it in a statement before. What another
-- fold took would be missed by an older snapshot, and what the log holds is part of what a difference is counted with,
-- so all is done by one statement. Its plan is made once: it takes longer to make than to run.
create function fold_call_changes(agency uuid, from_day date, to_day date) returns bigint
language plpgsql security definer
set search_path = public, pg_temp set enable_seqscan = off set enable_memoize = off set jit = off
set plan_cache_mode = force_generic_plan as $$
declare
    -- Not `set … = 'on'` above: who owns the database and is no superuser may not say that of a setting of our own.
    was constant text := coalesce(current_setting('call_changes.folding', true), '');
    emptied tid[];
    emptied_hours tid[];
    emptied_findings tid[];
    emptied_agency_findings tid[];
    repaired bigint;
    tellings_done bigint;
begin
    perform set_config('call_changes.folding', 'on', true);
    -- Several, or none, come of a restore.
    if (select count(*) from call_fold) <> 1 then
        delete from call_fold;
        insert into call_fold (first, last) values ('{0}', '{18446744073709551615}');
    end if;
    with folding as (
        -- The changes of one agency leave others in the log, for which the ranges go on to hold.
        update call_fold
        set
            -- Another row than one that a restore without triggers may bring, which then stands beside it and is seen.
            id = gen_random_uuid(),
            first = u.running || u.next, last = u.running || '18446744073709551615'::xid8, folded_at = now(),
            done_at = clock_timestamp()
        from (
            -- What this transaction writes from here on is still to come, too.
            select
                array(
                    select x.id
                    from (
                        select pg_snapshot_xip(s.seen) as id
                        union all
                        select pg_current_xact_id()
                    ) as x
                    where x.id < pg_snapshot_xmax(s.seen)
                ) as running,
                pg_snapshot_xmax(s.seen) as next
            from (select pg_current_snapshot() as seen) as s
        ) as u
        where agency is null
    ),
    taken as (
        delete from call_changes as c using unfolded_transactions as t
        where c.transaction_id between t.first and t.last and (agency is null or c.agency_id = agency)
        returning c.*
    ),
    drift as materialized (
        select * from call_stats_drift_of(agency, from_day, to_day) where from_day is not null
    ),
    hours_drift as materialized (
        select * from agency_hours_drift_of(agency, from_day, to_day) where from_day is not null
    ),
    findings_drift as materialized (
        select * from call_findings_drift_of(agency, from_day, to_day) where from_day is not null
    ),
    -- By the hour first, which is one key and cheaper than a day with its hours.
    counted as materialized (
        select
            t.agency_id, date_bin('1 hour', t.started_at, '2000-01-01 00:00+00') as hour, t.campaign_id, t.client_id,
            max(t.changed_at) as updated_at, sum(t.step) as steps,
            sum(n.total_calls) as total_calls, sum(n.completed_calls) as completed_calls,
            sum(n.failed_calls) as failed_calls, sum(n.connected_calls) as connected_calls,
            sum(n.conversations_had) as conversations_had, sum(n.meetings_booked) as meetings_booked,
            sum(n.qualified_leads) as qualified_leads, sum(n.total_duration_seconds) as total_duration_seconds,
            sum(n.inbound_calls) as inbound_calls, sum(n.outbound_calls) as outbound_calls,
            sum(n.positive_sentiment_calls) as positive_sentiment_calls,
            sum(n.neutral_sentiment_calls) as neutral_sentiment_calls,
            sum(n.negative_sentiment_calls) as negative_sentiment_calls,
            sum(n.objections_encountered) as objections_encountered, sum(n.issues_resolved) as issues_resolved,
            sum(n.escalations) as escalations, sum(n.voicemail_calls) as voicemail_calls,
            sum(n.callback_requested_calls) as callback_requested_calls,
            sum(n.not_interested_calls) as not_interested_calls, sum(n.wrong_number_calls) as wrong_number_calls,
            sum(n.dnc_requested_calls) as dnc_requested_calls,
            sum(n.gatekeeper_blocked_calls) as gatekeeper_blocked_calls, sum(n.no_answer_calls) as no_answer_calls,
            sum(n.conversation_calls) as conversation_calls, sum(n.total_interruptions) as total_interruptions,
            sum(n.total_objections_handled) as total_objections_handled,
            sum(n.total_buying_signals) as total_buying_signals, sum(n.emails_sent) as emails_sent,
            sum(n.sms_sent) as sms_sent, sum(n.talk_ratio_sum) as talk_ratio_sum,
            sum(n.talk_ratio_calls) as talk_ratio_calls, sum(n.listen_ratio_sum) as listen_ratio_sum,
            sum(n.listen_ratio_calls) as listen_ratio_calls, sum(n.script_adherence_sum) as script_adherence_sum,
            sum(n.script_adherence_calls) as script_adherence_calls, sum(n.analyzed_calls) as analyzed_calls,
            sum(n.analyzed_connected_calls) as analyzed_connected_calls
        from taken as t
        cross join lateral call_counts(t::call_changes) as n
        group by t.agency_id, date_bin('1 hour', t.started_at, '2000-01-01 00:00+00'), t.campaign_id, t.client_id
    ),
    -- Made because it is asked for below: what raises a version would be left out otherwise.
    told as (
        select count(add_to_data_version(c.agency_id, c.step)) as tellings
        from (
            select agency_id, (sum(steps) % 4611686018427387904)::bigint as step from counted group by agency_id
        ) as c
    ),
    posted as (
        insert into call_stats_folded as s (
            agency_id, stat_date, campaign_id, client_id, updated_at,
            total_calls, completed_calls, failed_calls, connected_calls, conversations_had, meetings_booked,
            qualified_leads, total_duration_seconds, inbound_calls, outbound_calls, positive_sentiment_calls,
            neutral_sentiment_calls, negative_sentiment_calls, objections_encountered, issues_resolved, escalations,
            voicemail_calls, callback_requested_calls, not_interested_calls, wrong_number_calls, dnc_requested_calls,
            gatekeeper_blocked_calls, no_answer_calls, conversation_calls, total_interruptions,
            total_objections_handled, total_buying_signals, emails_sent, sms_sent, talk_ratio_sum, talk_ratio_calls,
            listen_ratio_sum, listen_ratio_calls, script_adherence_sum, script_adherence_calls, analyzed_calls,
            analyzed_connected_calls, total_calls_by_hour, connected_calls_by_hour, meetings_booked_by_hour
        )
        select
            agency_id, stat_date, campaign_id, client_id, max(updated_at),
            sum(total_calls), sum(completed_calls), sum(failed_calls), sum(connected_calls), sum(conversations_had),
            sum(meetings_booked), sum(qualified_leads), sum(total_duration_seconds), sum(inbound_calls),
            sum(outbound_calls), sum(positive_sentiment_calls), sum(neutral_sentiment_calls),
            sum(negative_sentiment_calls), sum(objections_encountered), sum(issues_resolved), sum(escalations),
            sum(voicemail_calls), sum(callback_requested_calls), sum(not_interested_calls), sum(wrong_number_calls),
            sum(dnc_requested_calls), sum(gatekeeper_blocked_calls), sum(no_answer_calls), sum(conversation_calls),
            sum(total_interruptions), sum(total_objections_handled), sum(total_buying_signals), sum(emails_sent),
            sum(sms_sent), sum(talk_ratio_sum), sum(talk_ratio_calls), sum(listen_ratio_sum), sum(listen_ratio_calls),
            sum(script_adherence_sum), sum(script_adherence_calls), sum(analyzed_calls), sum(analyzed_connected_calls),
            sum_hours(total_calls_by_hour), sum_hours(connected_calls_by_hour), sum_hours(meetings_booked_by_hour)
        from (
            select
                c.agency_id, call_day(c.hour) as stat_date, c.campaign_id, c.client_id, c.updated_at,
                c.total_calls, c.completed_calls, c.failed_calls, c.connected_calls, c.conversations_had,
                c.meetings_booked, c.qualified_leads, c.total_duration_seconds, c.inbound_calls, c.outbound_calls,
                c.positive_sentiment_calls, c.neutral_sentiment_calls, c.negative_sentiment_calls,
                c.objections_encountered, c.issues_resolved, c.escalations, c.voicemail_calls,
                c.callback_requested_calls, c.not_interested_calls, c.wrong_number_calls, c.dnc_requested_calls,
                c.gatekeeper_blocked_calls, c.no_answer_calls, c.conversation_calls, c.total_interruptions,
                c.total_objections_handled, c.total_buying_signals, c.emails_sent, c.sms_sent, c.talk_ratio_sum,
                c.talk_ratio_calls, c.listen_ratio_sum, c.listen_ratio_calls, c.script_adherence_sum,
                c.script_adherence_calls, c.analyzed_calls, c.analyzed_connected_calls,
                in_hour(call_hour(c.hour), c.total_calls) as total_calls_by_hour,
                in_hour(call_hour(c.hour), c.connected_calls) as connected_calls_by_hour,
                in_hour(call_hour(c.hour), c.meetings_booked) as meetings_booked_by_hour
            from counted as c
            union all
            select d.agency_id, d.stat_date, d.campaign_id, d.client_id, now(),
                d.total_calls, d.completed_calls, d.failed_calls, d.connected_calls, d.conversations_had,
                d.meetings_booked, d.qualified_leads, d.total_duration_seconds, d.inbound_calls, d.outbound_calls,
                d.positive_sentiment_calls, d.neutral_sentiment_calls, d.negative_sentiment_calls,
                d.objections_encountered, d.issues_resolved, d.escalations, d.voicemail_calls,
                d.callback_requested_calls, d.not_interested_calls, d.wrong_number_calls, d.dnc_requested_calls,
                d.gatekeeper_blocked_calls, d.no_answer_calls, d.conversation_calls, d.total_interruptions,
                d.total_objections_handled, d.total_buying_signals, d.emails_sent, d.sms_sent, d.talk_ratio_sum,
                d.talk_ratio_calls, d.listen_ratio_sum, d.listen_ratio_calls, d.script_adherence_sum,
                d.script_adherence_calls, d.analyzed_calls, d.analyzed_connected_calls, d.total_calls_by_hour,
                d.connected_calls_by_hour, d.meetings_booked_by_hour
            from drift as d
        ) as sides
        group by agency_id, stat_date, campaign_id, client_id
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
            analyzed_calls = s.analyzed_calls + excluded.analyzed_calls,
            analyzed_connected_calls = s.analyzed_connected_calls + excluded.analyzed_connected_calls,
            total_calls_by_hour = add_hours(s.total_calls_by_hour, excluded.total_calls_by_hour),
            connected_calls_by_hour = add_hours(s.connected_calls_by_hour, excluded.connected_calls_by_hour),
            meetings_booked_by_hour = add_hours(s.meetings_booked_by_hour, excluded.meetings_booked_by_hour),
            updated_at = greatest(s.updated_at, excluded.updated_at)
        returning s.ctid as place, s.total_calls
    ),
    posted_hours as (
        insert into agency_hours_folded as s (
            agency_id, stat_date, total_calls_by_hour, connected_calls_by_hour, meetings_booked_by_hour
        )
        select
            agency_id, stat_date, sum_hours(total_calls_by_hour), sum_hours(connected_calls_by_hour),
            sum_hours(meetings_booked_by_hour)
        from (
            select
                c.agency_id, call_day(c.hour) as stat_date,
                in_hour(call_hour(c.hour), sum(c.total_calls)::bigint) as total_calls_by_hour,
                in_hour(call_hour(c.hour), sum(c.connected_calls)::bigint) as connected_calls_by_hour,
                in_hour(call_hour(c.hour), sum(c.meetings_booked)::bigint) as meetings_booked_by_hour
            from counted as c
            group by c.agency_id, c.hour
            union all
            select
                d.agency_id, d.stat_date, d.total_calls_by_hour, d.connected_calls_by_hour, d.meetings_booked_by_hour
            from hours_drift as d
        ) as sides
        where coalesce(total_calls_by_hour, connected_calls_by_hour, meetings_booked_by_hour) is not null
        group by agency_id, stat_date
        order by agency_id, stat_date
        on conflict (agency_id, stat_date) do update set
            total_calls_by_hour = add_hours(s.total_calls_by_hour, excluded.total_calls_by_hour),
            connected_calls_by_hour = add_hours(s.connected_calls_by_hour, excluded.connected_calls_by_hour),
            meetings_booked_by_hour = add_hours(s.meetings_booked_by_hour, excluded.meetings_booked_by_hour)
        returning
            s.ctid as place,
            0 = all (s.total_calls_by_hour || s.connected_calls_by_hour || s.meetings_booked_by_hour) as is_empty
    ),
    found as (
        select
            t.agency_id, t.campaign_id, call_day(t.started_at) as stat_date, t.client_id, f.kind, f.text, f.count,
            f.handled
        from taken as t
        cross join lateral call_findings(t::call_changes) as f
        where coalesce(t.objections, t.buying_signals, t.was_objections, t.was_buying_signals) is not null
    ),
    posted_findings as (
        insert into call_findings_folded as d (
            agency_id, campaign_id, stat_date, client_id, kind, text, text_key, count, handled
        )
        select
            agency_id, campaign_id, stat_date, client_id, kind, text, text_key(text), sum(count), sum(handled)
        from (
            select * from found
            union all
            select d.agency_id, d.campaign_id, d.stat_date, d.client_id, d.kind, d.text, d.count, d.handled
            from findings_drift as d
            where not d.of_agency_only
        ) as sides
        group by agency_id, campaign_id, stat_date, client_id, kind, text
        having sum(count) <> 0 or sum(handled) <> 0
        order by agency_id, campaign_id, stat_date
        on conflict (agency_id, campaign_id, stat_date, client_id, kind, spelling_key(text)) do update
        set count = d.count + excluded.count, handled = d.handled + excluded.handled
        returning d.ctid as place, d.count, d.handled
    ),
    posted_agency_findings as (
        insert into agency_findings_folded as d (
            agency_id, stat_date, kind, text, text_key, count, handled
        )
        select agency_id, stat_date, kind, text, text_key(text), sum(count), sum(handled)
        from (
            select agency_id, stat_date, kind, text, count, handled from found
            union all
            select d.agency_id, d.stat_date, d.kind, d.text, d.count, d.handled
            from findings_drift as d
            where d.of_agency_only
        ) as sides
        group by agency_id, stat_date, kind, text
        having sum(count) <> 0 or sum(handled) <> 0
        order by agency_id, stat_date
        on conflict (agency_id, stat_date, kind, spelling_key(text)) do update
        set count = d.count + excluded.count, handled = d.handled + excluded.handled
        returning d.ctid as place, d.count, d.handled
    )
    select
        (select array_agg(place) from posted where total_calls = 0),
        (select array_agg(place) from posted_hours where is_empty),
        (select array_agg(place) from posted_findings where count = 0 and handled = 0),
        (select array_agg(place) from posted_agency_findings where count = 0 and handled = 0),
        (select count(*) from drift) + (select count(*) from hours_drift) + (select count(*) from findings_drift),
        (select tellings from told)
    into emptied, emptied_hours, emptied_findings, emptied_agency_findings, repaired, tellings_done;

    -- A day without calls has no row. One that was damaged may hold other counts still: it waits for its repair.
    if emptied is not null then
        delete from call_stats_folded
        where ctid = any (emptied) and (
            total_calls, completed_calls, failed_calls, connected_calls, conversations_had, meetings_booked,
            qualified_leads, total_duration_seconds, inbound_calls, outbound_calls, positive_sentiment_calls,
            neutral_sentiment_calls, negative_sentiment_calls, objections_encountered, issues_resolved, escalations,
            voicemail_calls, callback_requested_calls, not_interested_calls, wrong_number_calls, dnc_requested_calls,
            gatekeeper_blocked_calls, no_answer_calls, conversation_calls, total_interruptions,
            total_objections_handled, total_buying_signals, emails_sent, sms_sent, talk_ratio_sum, talk_ratio_calls,
            listen_ratio_sum, listen_ratio_calls, script_adherence_sum, script_adherence_calls, analyzed_calls,
            analyzed_connected_calls
        ) = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) and 0 = all (total_calls_by_hour || connected_calls_by_hour || meetings_booked_by_hour);
    end if;
    if emptied_hours is not null then
        delete from agency_hours_folded where ctid = any (emptied_hours);
    end if;
    if emptied_findings is not null then
        delete from call_findings_folded where ctid = any (emptied_findings);
    end if;
    if emptied_agency_findings is not null then
        delete from agency_findings_folded where ctid = any (emptied_agency_findings);
    end if;
    -- A change raised its agency's version by being in the log. Of a repair nothing else tells.
    if repaired > 0 then
        perform raise_data_version(agency);
    end if;
    perform set_config('call_changes.folding', was, true);
    return repaired;
end
$$;

-- Nobody's to call: Supabase grants its API's roles every function.
revoke execute on function fold_call_changes(uuid, date, date) from public;
do $$
declare
    role_name text;
begin
    for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
        execute format('revoke execute on function fold_call_changes(uuid, date, date) from %I', role_name);
    end loop;
end
$$;

-- migrate:down
-- Forward only.
