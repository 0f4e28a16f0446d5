-- migrate:up
-- The rollup as it is read, its drift and its repair; from here on it is what the log says.

set local lock_timeout = '10s';
set local statement_timeout = '60s';

-- For who adds up: the rows of the folded rollup, and one for each change that waits.
create view call_stats_parts with (security_invoker = true) as
select
    s.agency_id, s.stat_date, s.campaign_id, s.client_id,
    s.total_calls, s.completed_calls, s.failed_calls, s.connected_calls, s.conversations_had, s.meetings_booked,
    s.qualified_leads, s.total_duration_seconds, s.inbound_calls, s.outbound_calls, s.positive_sentiment_calls,
    s.neutral_sentiment_calls, s.negative_sentiment_calls, s.objections_encountered, s.issues_resolved, s.escalations,
    s.voicemail_calls, s.callback_requested_calls, s.not_interested_calls, s.wrong_number_calls, s.dnc_requested_calls,
    s.gatekeeper_blocked_calls, s.no_answer_calls, s.conversation_calls, s.total_interruptions,
    s.total_objections_handled, s.total_buying_signals, s.emails_sent, s.sms_sent, s.talk_ratio_sum, s.talk_ratio_calls,
    s.listen_ratio_sum, s.listen_ratio_calls, s.script_adherence_sum, s.script_adherence_calls, s.analyzed_calls,
    s.analyzed_connected_calls,
    s.updated_at
from call_stats_folded as s
union all
select
    p.agency_id, p.stat_date, p.campaign_id, p.client_id,
    p.total_calls::bigint, p.completed_calls::bigint, p.failed_calls::bigint, p.connected_calls::bigint,
    p.conversations_had::bigint, p.meetings_booked::bigint, p.qualified_leads::bigint, p.total_duration_seconds::bigint,
    p.inbound_calls::bigint, p.outbound_calls::bigint, p.positive_sentiment_calls::bigint,
    p.neutral_sentiment_calls::bigint, p.negative_sentiment_calls::bigint, p.objections_encountered::bigint,
    p.issues_resolved::bigint, p.escalations::bigint, p.voicemail_calls::bigint, p.callback_requested_calls::bigint,
    p.not_interested_calls::bigint, p.wrong_number_calls::bigint, p.dnc_requested_calls::bigint,
    p.gatekeeper_blocked_calls::bigint, p.no_answer_calls::bigint, p.conversation_calls::bigint,
    p.total_interruptions::bigint, p.total_objections_handled::bigint, p.total_buying_signals::bigint,
    p.emails_sent::bigint, p.sms_sent::bigint, p.talk_ratio_sum, p.talk_ratio_calls::bigint, p.listen_ratio_sum,
    p.listen_ratio_calls::bigint, p.script_adherence_sum, p.script_adherence_calls::bigint, p.analyzed_calls::bigint,
    p.analyzed_connected_calls::bigint,
    p.changed_at
from pending_call_counts as p;
comment on view call_stats_parts is 'Several rows a day, campaign and client; their sums are those of call_stats_daily.';

-- One row for each (agency, day, campaign, client) where the rollup is not what the calls add up to, with what is
-- missing (or, negative, too much). `calls`, the rollup and the log of what is not yet in it are read in one snapshot, so
-- the difference is exact, whoever is writing meanwhile.
-- squawk-ignore ban-drop-function
drop function call_stats_drift(uuid, date, date);
create function call_stats_drift_of(agency uuid, from_day date, to_day date) returns table (
    agency_id uuid, stat_date date, campaign_id uuid, client_id uuid,
    total_calls numeric, completed_calls numeric, failed_calls numeric, connected_calls numeric,
    conversations_had numeric, meetings_booked numeric, qualified_leads numeric, total_duration_seconds numeric,
    inbound_calls numeric, outbound_calls numeric, positive_sentiment_calls numeric, neutral_sentiment_calls numeric,
    negative_sentiment_calls numeric, objections_encountered numeric, issues_resolved numeric, escalations numeric,
    voicemail_calls numeric, callback_requested_calls numeric, not_interested_calls numeric, wrong_number_calls numeric,
    dnc_requested_calls numeric, gatekeeper_blocked_calls numeric, no_answer_calls numeric, conversation_calls numeric,
    total_interruptions numeric, total_objections_handled numeric, total_buying_signals numeric, emails_sent numeric,
    sms_sent numeric, talk_ratio_sum numeric, talk_ratio_calls numeric, listen_ratio_sum numeric,
    listen_ratio_calls numeric, script_adherence_sum numeric, script_adherence_calls numeric, analyzed_calls numeric,
    analyzed_connected_calls numeric,
    total_calls_by_hour integer[], connected_calls_by_hour integer[], meetings_booked_by_hour integer[]
) language sql stable set search_path = public, pg_temp as $$
    select
        d.agency_id, d.stat_date, d.campaign_id, d.client_id,
        d.total_calls, d.completed_calls, d.failed_calls, d.connected_calls, d.conversations_had, d.meetings_booked,
        d.qualified_leads, d.total_duration_seconds, d.inbound_calls, d.outbound_calls, d.positive_sentiment_calls,
        d.neutral_sentiment_calls, d.negative_sentiment_calls, d.objections_encountered, d.issues_resolved,
        d.escalations, d.voicemail_calls, d.callback_requested_calls, d.not_interested_calls, d.wrong_number_calls,
        d.dnc_requested_calls, d.gatekeeper_blocked_calls, d.no_answer_calls, d.conversation_calls,
        d.total_interruptions, d.total_objections_handled, d.total_buying_signals, d.emails_sent, d.sms_sent,
        d.talk_ratio_sum, d.talk_ratio_calls, d.listen_ratio_sum, d.listen_ratio_calls, d.script_adherence_sum,
        d.script_adherence_calls, d.analyzed_calls, d.analyzed_connected_calls,
        d.total_calls_by_hour, d.connected_calls_by_hour, d.meetings_booked_by_hour
    from (
        select
            agency_id, stat_date, campaign_id, client_id,
            sum(total_calls) as total_calls, sum(completed_calls) as completed_calls, sum(failed_calls) as failed_calls,
            sum(connected_calls) as connected_calls, sum(conversations_had) as conversations_had,
            sum(meetings_booked) as meetings_booked, sum(qualified_leads) as qualified_leads,
            sum(total_duration_seconds) as total_duration_seconds, sum(inbound_calls) as inbound_calls,
            sum(outbound_calls) as outbound_calls, sum(positive_sentiment_calls) as positive_sentiment_calls,
            sum(neutral_sentiment_calls) as neutral_sentiment_calls,
            sum(negative_sentiment_calls) as negative_sentiment_calls,
            sum(objections_encountered) as objections_encountered, sum(issues_resolved) as issues_resolved,
            sum(escalations) as escalations, sum(voicemail_calls) as voicemail_calls,
            sum(callback_requested_calls) as callback_requested_calls,
            sum(not_interested_calls) as not_interested_calls, sum(wrong_number_calls) as wrong_number_calls,
            sum(dnc_requested_calls) as dnc_requested_calls, sum(gatekeeper_blocked_calls) as gatekeeper_blocked_calls,
            sum(no_answer_calls) as no_answer_calls, sum(conversation_calls) as conversation_calls,
            sum(total_interruptions) as total_interruptions, sum(total_objections_handled) as total_objections_handled,
            sum(total_buying_signals) as total_buying_signals, sum(emails_sent) as emails_sent,
            sum(sms_sent) as sms_sent, sum(talk_ratio_sum) as talk_ratio_sum, sum(talk_ratio_calls) as talk_ratio_calls,
            sum(listen_ratio_sum) as listen_ratio_sum, sum(listen_ratio_calls) as listen_ratio_calls,
            sum(script_adherence_sum) as script_adherence_sum, sum(script_adherence_calls) as script_adherence_calls,
            sum(analyzed_calls) as analyzed_calls, sum(analyzed_connected_calls) as analyzed_connected_calls,
            sum_hours(total_calls_by_hour) as total_calls_by_hour,
            sum_hours(connected_calls_by_hour) as connected_calls_by_hour,
            sum_hours(meetings_booked_by_hour) as meetings_booked_by_hour
        from (
            select
                r.agency_id, call_day(r.started_at) as stat_date, r.campaign_id, r.client_id,
                sum(r.total_calls) as total_calls, sum(r.completed_calls) as completed_calls,
                sum(r.failed_calls) as failed_calls, sum(r.connected_calls) as connected_calls,
                sum(r.conversations_had) as conversations_had, sum(r.meetings_booked) as meetings_booked,
                sum(r.qualified_leads) as qualified_leads, sum(r.total_duration_seconds) as total_duration_seconds,
                sum(r.inbound_calls) as inbound_calls, sum(r.outbound_calls) as outbound_calls,
                sum(r.positive_sentiment_calls) as positive_sentiment_calls,
                sum(r.neutral_sentiment_calls) as neutral_sentiment_calls,
                sum(r.negative_sentiment_calls) as negative_sentiment_calls,
                sum(r.objections_encountered) as objections_encountered, sum(r.issues_resolved) as issues_resolved,
                sum(r.escalations) as escalations, sum(r.voicemail_calls) as voicemail_calls,
                sum(r.callback_requested_calls) as callback_requested_calls,
                sum(r.not_interested_calls) as not_interested_calls, sum(r.wrong_number_calls) as wrong_number_calls,
                sum(r.dnc_requested_calls) as dnc_requested_calls,
                sum(r.gatekeeper_blocked_calls) as gatekeeper_blocked_calls, sum(r.no_answer_calls) as no_answer_calls,
                sum(r.conversation_calls) as conversation_calls, sum(r.total_interruptions) as total_interruptions,
                sum(r.total_objections_handled) as total_objections_handled,
                sum(r.total_buying_signals) as total_buying_signals, sum(r.emails_sent) as emails_sent,
                sum(r.sms_sent) as sms_sent, sum(r.talk_ratio_sum) as talk_ratio_sum,
                sum(r.talk_ratio_calls) as talk_ratio_calls, sum(r.listen_ratio_sum) as listen_ratio_sum,
                sum(r.listen_ratio_calls) as listen_ratio_calls, sum(r.script_adherence_sum) as script_adherence_sum,
                sum(r.script_adherence_calls) as script_adherence_calls, sum(r.analyzed_calls) as analyzed_calls,
                sum(r.analyzed_connected_calls) as analyzed_connected_calls,
                sum_by_hour(call_hour(r.started_at), r.total_calls) as total_calls_by_hour,
                sum_by_hour(call_hour(r.started_at), r.connected_calls) as connected_calls_by_hour,
                sum_by_hour(call_hour(r.started_at), r.meetings_booked) as meetings_booked_by_hour
            from (
                select c.agency_id, c.started_at, c.campaign_id, c.client_id, n.*
                from calls as c
                cross join lateral call_counts(c) as n
                union all
                select
                    p.agency_id, p.started_at, p.campaign_id, p.client_id,
                    -p.total_calls, -p.completed_calls, -p.failed_calls, -p.connected_calls, -p.conversations_had,
                    -p.meetings_booked, -p.qualified_leads, -p.total_duration_seconds, -p.inbound_calls,
                    -p.outbound_calls, -p.positive_sentiment_calls, -p.neutral_sentiment_calls,
                    -p.negative_sentiment_calls, -p.objections_encountered, -p.issues_resolved, -p.escalations,
                    -p.voicemail_calls, -p.callback_requested_calls, -p.not_interested_calls, -p.wrong_number_calls,
                    -p.dnc_requested_calls, -p.gatekeeper_blocked_calls, -p.no_answer_calls, -p.conversation_calls,
                    -p.total_interruptions, -p.total_objections_handled, -p.total_buying_signals, -p.emails_sent,
                    -p.sms_sent, -p.talk_ratio_sum, -p.talk_ratio_calls, -p.listen_ratio_sum, -p.listen_ratio_calls,
                    -p.script_adherence_sum, -p.script_adherence_calls, -p.analyzed_calls, -p.analyzed_connected_calls
                from pending_call_counts as p
            ) as r
            where r.agency_id = agency
                and r.started_at >= from_day::timestamp at time zone 'UTC'
                and r.started_at < (to_day + 1)::timestamp at time zone 'UTC'
            group by r.agency_id, call_day(r.started_at), r.campaign_id, r.client_id
            union all
            select
                s.agency_id, s.stat_date, s.campaign_id, s.client_id,
                -s.total_calls, -s.completed_calls, -s.failed_calls, -s.connected_calls, -s.conversations_had,
                -s.meetings_booked, -s.qualified_leads, -s.total_duration_seconds, -s.inbound_calls, -s.outbound_calls,
                -s.positive_sentiment_calls, -s.neutral_sentiment_calls, -s.negative_sentiment_calls,
                -s.objections_encountered, -s.issues_resolved, -s.escalations, -s.voicemail_calls,
                -s.callback_requested_calls, -s.not_interested_calls, -s.wrong_number_calls, -s.dnc_requested_calls,
                -s.gatekeeper_blocked_calls, -s.no_answer_calls, -s.conversation_calls, -s.total_interruptions,
                -s.total_objections_handled, -s.total_buying_signals, -s.emails_sent, -s.sms_sent, -s.talk_ratio_sum,
                -s.talk_ratio_calls, -s.listen_ratio_sum, -s.listen_ratio_calls, -s.script_adherence_sum,
                -s.script_adherence_calls, -s.analyzed_calls, -s.analyzed_connected_calls,
                array(select -h from unnest(s.total_calls_by_hour) as h),
                array(select -h from unnest(s.connected_calls_by_hour) as h),
                array(select -h from unnest(s.meetings_booked_by_hour) as h)
            from call_stats_folded as s
            where s.agency_id = agency and s.stat_date between from_day and to_day
        ) as sides
        group by agency_id, stat_date, campaign_id, client_id
    ) as d
    where 0 <> any (
        array[
            d.total_calls, d.completed_calls, d.failed_calls, d.connected_calls, d.conversations_had, d.meetings_booked,
            d.qualified_leads, d.total_duration_seconds, d.inbound_calls, d.outbound_calls, d.positive_sentiment_calls,
            d.neutral_sentiment_calls, d.negative_sentiment_calls, d.objections_encountered, d.issues_resolved,
            d.escalations, d.voicemail_calls, d.callback_requested_calls, d.not_interested_calls, d.wrong_number_calls,
            d.dnc_requested_calls, d.gatekeeper_blocked_calls, d.no_answer_calls, d.conversation_calls,
            d.total_interruptions, d.total_objections_handled, d.total_buying_signals, d.emails_sent, d.sms_sent,
            d.talk_ratio_sum, d.talk_ratio_calls, d.listen_ratio_sum, d.listen_ratio_calls, d.script_adherence_sum,
            d.script_adherence_calls, d.analyzed_calls, d.analyzed_connected_calls
        ]
    ) or 0 <> any (d.total_calls_by_hour || d.connected_calls_by_hour || d.meetings_booked_by_hour)
$$;

-- The same of this agency or (null) of all.
create function call_stats_drift(agency uuid, from_day date, to_day date) returns table (
    agency_id uuid, stat_date date, campaign_id uuid, client_id uuid,
    total_calls numeric, completed_calls numeric, failed_calls numeric, connected_calls numeric,
    conversations_had numeric, meetings_booked numeric, qualified_leads numeric, total_duration_seconds numeric,
    inbound_calls numeric, outbound_calls numeric, positive_sentiment_calls numeric, neutral_sentiment_calls numeric,
    negative_sentiment_calls numeric, objections_encountered numeric, issues_resolved numeric, escalations numeric,
    voicemail_calls numeric, callback_requested_calls numeric, not_interested_calls numeric, wrong_number_calls numeric,
    dnc_requested_calls numeric, gatekeeper_blocked_calls numeric, no_answer_calls numeric, conversation_calls numeric,
    total_interruptions numeric, total_objections_handled numeric, total_buying_signals numeric, emails_sent numeric,
    sms_sent numeric, talk_ratio_sum numeric, talk_ratio_calls numeric, listen_ratio_sum numeric,
    listen_ratio_calls numeric, script_adherence_sum numeric, script_adherence_calls numeric, analyzed_calls numeric,
    analyzed_connected_calls numeric,
    total_calls_by_hour integer[], connected_calls_by_hour integer[], meetings_booked_by_hour integer[]
) language sql stable set search_path = public, pg_temp set enable_seqscan = on as $$
    select d.* from agencies_counted(agency) as a cross join lateral call_stats_drift_of(a, from_day, to_day) as d
$$;

-- Makes the rollups what the calls of these days add up to, of one agency or (null) of each in turn, and gives the number of
-- rows that were not.
create or replace function repair_call_stats(agency uuid, from_day date, to_day date) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    repaired bigint := 0;
    one uuid;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'rollups can be repaired in a transaction of the isolation level read committed only'
            using hint = 'In another one the calls would be counted as they were when it began, and folds that others have made since would be overlooked.';
    end if;
    -- Before anything else is locked: a truncate locks the calls first and then the rollups, and would wait for us as we for it.
    lock table calls in access share mode;
    perform pg_advisory_xact_lock(hashtextextended('fold_call_changes', 0));
    -- What a restore has left in the log that no reader counts.
    delete from call_changes as c
    where not exists (select from unfolded_transactions as t where c.transaction_id between t.first and t.last);
    for one in select agencies_counted(agency) loop
        repaired := repaired + fold_call_changes(one, from_day, to_day);
    end loop;
    return repaired;
end
$$;

-- The calls are gone for every snapshot. In read committed all that has been counted of them is seen by now, as whoever wrote
-- calls had to end first. In a snapshot that is kept, a deletion of what it sees would leave what others have committed
-- since, so there the rollups go as the calls do, by locks that no reader likes; what waits at the end of this
-- transaction for these rows comes before it.
create or replace function forget_call_stats() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    was constant text := coalesce(current_setting('call_changes.folding', true), '');
    name text;
begin
    perform set_config('call_changes.folding', 'on', true);
    if current_setting('transaction_isolation') = 'read committed' then
        perform pg_advisory_xact_lock(hashtextextended('fold_call_changes', 0));
        delete from call_changes;
        delete from call_stats_folded;
        delete from agency_hours_folded;
        delete from call_findings_folded;
        delete from agency_findings_folded;
    else
        set constraints call_changes_fold immediate;
        foreach name in array array[
            'call_changes', 'call_stats_folded', 'agency_hours_folded', 'call_findings_folded', 'agency_findings_folded'
        ] loop
            begin
                execute format('truncate %I', name);
            exception when object_in_use then
                -- The same statement has emptied it, or a cursor of this session reads it.
                execute format('delete from %I', name);
            end;
        end loop;
        set constraints call_changes_fold deferred;
    end if;
    perform set_config('call_changes.folding', was, true);
    return null;
end
$$;
alter table calls enable always trigger calls_count_truncated;

-- From here on writers wait until all is counted, however long that takes. The rollup and its machinery go last.
drop trigger calls_count_inserted on calls;
drop trigger calls_count_deleted on calls;
drop trigger calls_count_updated_from on calls;
drop trigger calls_count_updated_to on calls;
-- squawk-ignore ban-drop-function
drop function note_call_changes();
-- squawk-ignore ban-drop-table
drop table call_stats_changes;
-- squawk-ignore ban-drop-function
drop function apply_call_changes();
-- squawk-ignore ban-drop-table
drop table call_stats_daily;

-- To four digits, rounded once and half away from zero: a quotient of numerics has been rounded already. Of nothing it is null.
create function rounded_ratio(part numeric, whole numeric) returns numeric
language sql immutable parallel safe as $$
    select round(div(20000 * part + whole, 2 * nullif(whole, 0)) * 0.0001, 4)
$$;

create view call_stats_daily with (security_invoker = true) as
select
    f.stat_date, f.agency_id, f.campaign_id, f.client_id,
    sum(f.total_calls)::bigint as total_calls, sum(f.completed_calls)::bigint as completed_calls,
    sum(f.failed_calls)::bigint as failed_calls, sum(f.connected_calls)::bigint as connected_calls,
    sum(f.conversations_had)::bigint as conversations_had, sum(f.meetings_booked)::bigint as meetings_booked,
    sum(f.qualified_leads)::bigint as qualified_leads, sum(f.total_duration_seconds)::bigint as total_duration_seconds,
    sum(f.inbound_calls)::bigint as inbound_calls, sum(f.outbound_calls)::bigint as outbound_calls,
    sum(f.positive_sentiment_calls)::bigint as positive_sentiment_calls,
    sum(f.neutral_sentiment_calls)::bigint as neutral_sentiment_calls,
    sum(f.negative_sentiment_calls)::bigint as negative_sentiment_calls,
    sum(f.objections_encountered)::bigint as objections_encountered, sum(f.issues_resolved)::bigint as issues_resolved,
    sum(f.escalations)::bigint as escalations, sum(f.voicemail_calls)::bigint as voicemail_calls,
    sum(f.callback_requested_calls)::bigint as callback_requested_calls,
    sum(f.not_interested_calls)::bigint as not_interested_calls,
    sum(f.wrong_number_calls)::bigint as wrong_number_calls, sum(f.dnc_requested_calls)::bigint as dnc_requested_calls,
    sum(f.gatekeeper_blocked_calls)::bigint as gatekeeper_blocked_calls,
    sum(f.no_answer_calls)::bigint as no_answer_calls, sum(f.conversation_calls)::bigint as conversation_calls,
    sum(f.total_interruptions)::bigint as total_interruptions,
    sum(f.total_objections_handled)::bigint as total_objections_handled,
    sum(f.total_buying_signals)::bigint as total_buying_signals, sum(f.emails_sent)::bigint as emails_sent,
    sum(f.sms_sent)::bigint as sms_sent, sum(f.talk_ratio_sum) as talk_ratio_sum,
    sum(f.talk_ratio_calls)::bigint as talk_ratio_calls, sum(f.listen_ratio_sum) as listen_ratio_sum,
    sum(f.listen_ratio_calls)::bigint as listen_ratio_calls,
    sum(f.script_adherence_sum) as script_adherence_sum,
    sum(f.script_adherence_calls)::bigint as script_adherence_calls, sum(f.analyzed_calls)::bigint as analyzed_calls,
    sum(f.analyzed_connected_calls)::bigint as analyzed_connected_calls,
    rounded_ratio(sum(f.total_duration_seconds), sum(f.completed_calls)) as avg_duration_seconds,
    rounded_ratio(sum(f.talk_ratio_sum), sum(f.talk_ratio_calls)) as avg_talk_ratio,
    rounded_ratio(sum(f.listen_ratio_sum), sum(f.listen_ratio_calls)) as avg_listen_ratio,
    rounded_ratio(sum(f.script_adherence_sum), sum(f.script_adherence_calls)) as avg_script_adherence,
    max(f.updated_at) as updated_at
from call_stats_parts as f
group by f.agency_id, f.stat_date, f.campaign_id, f.client_id
having sum(f.total_calls) <> 0;
comment on view call_stats_daily is 'What the calls of a UTC day add up to, for each campaign or none and client or none.';

create constraint trigger call_changes_fold after insert on call_changes
deferrable initially deferred
for each row when (new.id % 512 = 0) execute function fold_at_commit();
alter table call_changes enable always trigger call_changes_fold;

set local statement_timeout = 0;
select repair_call_stats(null, '1970-01-01', '2199-12-31');

-- migrate:down
-- Forward only.
