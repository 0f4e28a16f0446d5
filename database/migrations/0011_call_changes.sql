-- migrate:up
-- What is counted of a call, and the log of what was changed in it: that is all that writing a call costs.

set local lock_timeout = '10s';
set local statement_timeout = '60s';

-- One row a call that was written: what it is now, and what it was until then (`was_`), null where it was not, or is no
-- more; all that counting it, and finding in it, may depend on. Empty lists are null too, and never unpacked. Written with
-- the call, in its transaction. The rollups are added up from these rows by folds (0014), each of very many, and what no
-- fold has added yet is added by whoever reads. So no writer waits for another, and nobody misses a call.
-- Both sides in one row, because two rows cost twice as much to insert, to delete and to carry through a fold. A call
-- that moves to another time, campaign or client has two all the same.
create table call_changes (
    transaction_id xid8 not null default pg_current_xact_id(),
    id bigint generated always as identity,
    changed_at timestamptz not null default now(),
    step bigint not null default random_step(),
    agency_id uuid not null,
    started_at timestamptz not null,
    campaign_id uuid,
    client_id uuid,
    status call_status, direction call_direction, disposition call_disposition, sentiment call_sentiment,
    analysis_status enrichment_status, duration_seconds integer, interruptions integer, emails_sent integer,
    sms_sent integer, joined boolean, is_qualified_lead boolean, issue_resolved boolean, escalated boolean,
    talk_ratio numeric, listen_ratio numeric, script_adherence numeric, objections jsonb, buying_signals jsonb,
    was_status call_status, was_direction call_direction, was_disposition call_disposition,
    was_sentiment call_sentiment, was_analysis_status enrichment_status, was_duration_seconds integer,
    was_interruptions integer, was_emails_sent integer, was_sms_sent integer, was_joined boolean,
    was_is_qualified_lead boolean, was_issue_resolved boolean, was_escalated boolean, was_talk_ratio numeric,
    was_listen_ratio numeric, was_script_adherence numeric, was_objections jsonb, was_buying_signals jsonb,
    primary key (transaction_id, id)
) with (
    -- It is short, and its rows are soon deleted. Its file keeps its size, or each vacuum would lock readers out to cut it.
    autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_insert_threshold = -1,
    vacuum_truncate = off
);
comment on column call_changes.step is 'What the change adds to the version of its agency''s data.';
alter table call_changes enable row level security;

-- What a call, or a change, counts for.
create type call_counters as (
    total_calls integer, completed_calls integer, failed_calls integer, connected_calls integer,
    conversations_had integer, meetings_booked integer, qualified_leads integer, total_duration_seconds integer,
    inbound_calls integer, outbound_calls integer, positive_sentiment_calls integer,
    neutral_sentiment_calls integer, negative_sentiment_calls integer, objections_encountered integer,
    issues_resolved integer, escalations integer, voicemail_calls integer, callback_requested_calls integer,
    not_interested_calls integer, wrong_number_calls integer, dnc_requested_calls integer,
    gatekeeper_blocked_calls integer, no_answer_calls integer, conversation_calls integer,
    total_interruptions integer, total_objections_handled integer, total_buying_signals integer,
    emails_sent integer, sms_sent integer, talk_ratio_sum numeric, talk_ratio_calls integer,
    listen_ratio_sum numeric, listen_ratio_calls integer, script_adherence_sum numeric,
    script_adherence_calls integer, analyzed_calls integer, analyzed_connected_calls integer
);

-- The one definition of every counter. Folds, repair, the scheduled recount and raw reads use it, of calls or of changes;
-- nothing else may. A plain expression over its arguments, so PostgreSQL inlines it wherever it is called; parsed once, here,
-- so that no reader's search path says what it means. What is not there (null) counts for nothing. Its arguments are many
-- and not one row, of which the planner would make a copy wherever one of its columns is named.
-- The last two are no metrics: other reports' `calls_analyzed`, and `freshness`, follow from them.
create function call_counts(
    status call_status, direction call_direction, disposition call_disposition, sentiment call_sentiment,
    analysis_status enrichment_status, duration_seconds integer, interruptions integer, emails_sent integer,
    sms_sent integer, joined boolean, is_qualified_lead boolean, issue_resolved boolean, escalated boolean,
    talk_ratio numeric, listen_ratio numeric, script_adherence numeric, objections jsonb, buying_signals jsonb
) returns setof call_counters
language sql immutable parallel safe
begin atomic
    select
        (status is not null)::integer,
        ((status = 'completed') is true)::integer,
        ((status = 'failed') is true)::integer,
        f.connected::integer,
        f.conversation::integer,
        f.booked::integer,
        (f.conversation and (is_qualified_lead or f.booked))::integer,
        case when status = 'completed' then coalesce(duration_seconds, 0) else 0 end,
        ((direction = 'inbound') is true)::integer,
        ((direction = 'outbound') is true)::integer,
        ((sentiment = 'positive') is true)::integer,
        ((sentiment = 'neutral') is true)::integer,
        ((sentiment = 'negative') is true)::integer,
        coalesce(jsonb_array_length(objections), 0),
        (issue_resolved is true)::integer,
        (escalated is true)::integer,
        ((disposition = 'voicemail') is true)::integer,
        ((disposition = 'callback_requested') is true)::integer,
        ((disposition = 'not_interested') is true)::integer,
        ((disposition = 'wrong_number') is true)::integer,
        ((disposition = 'dnc_requested') is true)::integer,
        ((disposition = 'gatekeeper_blocked') is true)::integer,
        ((disposition = 'no_answer') is true)::integer,
        ((disposition = 'conversation') is true)::integer,
        coalesce(interruptions, 0),
        case
            when jsonb_array_length(objections) > 0
                then jsonb_array_length(jsonb_path_query_array(objections, 'strict $[*] ? (@.handled == true)'))
            else 0
        end,
        coalesce(jsonb_array_length(buying_signals), 0),
        coalesce(emails_sent, 0),
        coalesce(sms_sent, 0),
        case when status = 'completed' then coalesce(talk_ratio, 0) else 0 end,
        (status = 'completed' and talk_ratio is not null)::integer,
        case when status = 'completed' then coalesce(listen_ratio, 0) else 0 end,
        (status = 'completed' and listen_ratio is not null)::integer,
        case when status = 'completed' then coalesce(script_adherence, 0) else 0 end,
        (status = 'completed' and script_adherence is not null)::integer,
        ((analysis_status = 'completed') is true)::integer,
        (f.connected and (analysis_status = 'completed') is true)::integer
    from (
        select
            a.connected,
            a.connected and (
                disposition in ('conversation', 'appointment_booked', 'callback_requested', 'not_interested')
            ) is true as conversation,
            a.connected and (disposition = 'appointment_booked') is true as booked
        from (
            select joined is true and (disposition not in ('voicemail', 'no_answer')) is not false as connected
        ) as a
    ) as f;
end;

-- squawk-ignore ban-drop-function
drop function call_counts(calls);
create function call_counts(c calls) returns setof call_counters
language sql immutable parallel safe
begin atomic
    select n.*
    from call_counts(
        c.status, c.direction, c.disposition, c.sentiment, c.analysis_status, c.duration_seconds, c.interruptions,
        c.emails_sent, c.sms_sent, c.joined_at is not null, c.is_qualified_lead, c.issue_resolved, c.escalated,
        c.talk_ratio, c.listen_ratio, c.script_adherence, c.objections, c.buying_signals
    ) as n;
end;
create function call_counts(c call_changes) returns setof call_counters
language sql immutable parallel safe
begin atomic
    select
        i.total_calls - w.total_calls, i.completed_calls - w.completed_calls, i.failed_calls - w.failed_calls,
        i.connected_calls - w.connected_calls, i.conversations_had - w.conversations_had,
        i.meetings_booked - w.meetings_booked, i.qualified_leads - w.qualified_leads,
        i.total_duration_seconds - w.total_duration_seconds, i.inbound_calls - w.inbound_calls,
        i.outbound_calls - w.outbound_calls, i.positive_sentiment_calls - w.positive_sentiment_calls,
        i.neutral_sentiment_calls - w.neutral_sentiment_calls, i.negative_sentiment_calls - w.negative_sentiment_calls,
        i.objections_encountered - w.objections_encountered, i.issues_resolved - w.issues_resolved,
        i.escalations - w.escalations, i.voicemail_calls - w.voicemail_calls,
        i.callback_requested_calls - w.callback_requested_calls, i.not_interested_calls - w.not_interested_calls,
        i.wrong_number_calls - w.wrong_number_calls, i.dnc_requested_calls - w.dnc_requested_calls,
        i.gatekeeper_blocked_calls - w.gatekeeper_blocked_calls, i.no_answer_calls - w.no_answer_calls,
        i.conversation_calls - w.conversation_calls, i.total_interruptions - w.total_interruptions,
        i.total_objections_handled - w.total_objections_handled, i.total_buying_signals - w.total_buying_signals,
        i.emails_sent - w.emails_sent, i.sms_sent - w.sms_sent, i.talk_ratio_sum - w.talk_ratio_sum,
        i.talk_ratio_calls - w.talk_ratio_calls, i.listen_ratio_sum - w.listen_ratio_sum,
        i.listen_ratio_calls - w.listen_ratio_calls, i.script_adherence_sum - w.script_adherence_sum,
        i.script_adherence_calls - w.script_adherence_calls, i.analyzed_calls - w.analyzed_calls,
        i.analyzed_connected_calls - w.analyzed_connected_calls
    from call_counts(
        c.status, c.direction, c.disposition, c.sentiment, c.analysis_status, c.duration_seconds, c.interruptions,
        c.emails_sent, c.sms_sent, c.joined, c.is_qualified_lead, c.issue_resolved, c.escalated, c.talk_ratio,
        c.listen_ratio, c.script_adherence, c.objections, c.buying_signals
    ) as i
    cross join call_counts(
        c.was_status, c.was_direction, c.was_disposition, c.was_sentiment, c.was_analysis_status,
        c.was_duration_seconds, c.was_interruptions, c.was_emails_sent, c.was_sms_sent, c.was_joined,
        c.was_is_qualified_lead, c.was_issue_resolved, c.was_escalated, c.was_talk_ratio, c.was_listen_ratio,
        c.was_script_adherence, c.was_objections, c.was_buying_signals
    ) as w;
end;

create type finding_kind as enum ('objection', 'signal');

-- The one definition of what is found in a call: one row an objection or buying signal that has a text, in its spelling
-- (0010). Used and inlined as `call_counts`; of a change it is what was added to what was found. `offset` keeps PostgreSQL
-- from making each text twice, once to see that it is one.
create function call_findings(objections jsonb, buying_signals jsonb)
returns table (kind finding_kind, text text, handled integer)
language sql immutable parallel safe
begin atomic
    select
        k.kind,
        s.text,
        (k.kind = 'objection' and coalesce(e.value -> 'handled' = 'true', false))::integer
    from unnest('{objection,signal}'::finding_kind[]) as k (kind)
    cross join lateral (
        select case when k.kind = 'objection' then objections else buying_signals end as list
    ) as f
    cross join lateral jsonb_array_elements(f.list) as e
    cross join lateral (
        select text_spelling(e.value ->> 'text') as text
        offset 0
    ) as s
    where f.list is not null and s.text <> '';
end;
create function call_findings(c calls) returns table (kind finding_kind, text text, handled integer)
language sql immutable parallel safe begin atomic select f.* from call_findings(c.objections, c.buying_signals) as f; end;
create function call_findings(c call_changes) returns table (kind finding_kind, text text, count integer, handled integer)
language sql immutable parallel safe
begin atomic
    select f.kind, f.text, s.sign, s.sign * f.handled
    from unnest('{1,-1}'::integer[]) as s (sign)
    cross join lateral call_findings(
        case when s.sign = 1 then c.objections else c.was_objections end,
        case when s.sign = 1 then c.buying_signals else c.was_buying_signals end
    ) as f;
end;

-- The UTC hour in which a call began, 0 to 23.
create function call_hour(started_at timestamptz) returns integer
language sql immutable parallel safe as $$ select extract(hour from started_at at time zone 'UTC')::integer $$;

-- One statement may change a call twice: it deletes the call's campaign and the call's batch, whose foreign keys each update
-- the call, or it updates the call's facts beside. This sees all of that at once, several rows of one call on each side,
-- of which nothing says what became of what. Added up, though, what came less what went is what became of the call, in
-- whatever order. So a call is paired with what it was, in one row, only where each stands once; then the pairing is that of
-- a key. Else each row is logged by itself.
-- A pair is logged only if facts changed. What was found is compared as stored: jsonb's own equality takes 1 for 1.0, and a
-- text may be either. A full join keeps both sides of a call that has moved, or was given another id; and it is never
-- made row by row, however few there were when the plan was made.
create function log_call_changes() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    is_paired boolean := false;
    -- One for all rows of the statement, which are seen together or not at all.
    one_step constant bigint := random_step();
begin
    if tg_op = 'UPDATE' then
        is_paired := not exists (select from came as c group by c.id having count(*) > 1)
            and not exists (select from went as w group by w.id having count(*) > 1);
    end if;
    if is_paired then
        insert into call_changes (
            step, agency_id, started_at, campaign_id, client_id, status, direction, disposition, sentiment, analysis_status,
            duration_seconds, interruptions, emails_sent, sms_sent, joined, is_qualified_lead, issue_resolved,
            escalated, talk_ratio, listen_ratio, script_adherence, objections, buying_signals,
            was_status, was_direction, was_disposition, was_sentiment, was_analysis_status, was_duration_seconds,
            was_interruptions, was_emails_sent, was_sms_sent, was_joined, was_is_qualified_lead, was_issue_resolved,
            was_escalated, was_talk_ratio, was_listen_ratio, was_script_adherence, was_objections, was_buying_signals
        )
        select
            one_step, coalesce(c.agency_id, w.agency_id), coalesce(c.started_at, w.started_at),
            coalesce(c.campaign_id, w.campaign_id), coalesce(c.client_id, w.client_id),
            c.status, c.direction, c.disposition, c.sentiment, c.analysis_status, c.duration_seconds, c.interruptions,
            c.emails_sent, c.sms_sent, case when c.id is not null then c.joined_at is not null end,
            c.is_qualified_lead, c.issue_resolved, c.escalated, c.talk_ratio, c.listen_ratio, c.script_adherence, case
            when jsonb_array_length(c.objections) > 0 then c.objections end, case when
            jsonb_array_length(c.buying_signals) > 0 then c.buying_signals end,
            w.status, w.direction, w.disposition, w.sentiment, w.analysis_status, w.duration_seconds, w.interruptions,
            w.emails_sent, w.sms_sent, case when w.id is not null then w.joined_at is not null end,
            w.is_qualified_lead, w.issue_resolved, w.escalated, w.talk_ratio, w.listen_ratio, w.script_adherence, case
            when jsonb_array_length(w.objections) > 0 then w.objections end, case when
            jsonb_array_length(w.buying_signals) > 0 then w.buying_signals end
        from came as c
        full join went as w
            on w.id = c.id and w.agency_id = c.agency_id and w.started_at = c.started_at
            and (w.campaign_id, w.client_id) is not distinct from (c.campaign_id, c.client_id)
        where (
            c.id, c.status, c.direction, c.disposition, c.sentiment, c.analysis_status, c.duration_seconds,
            c.interruptions, c.emails_sent, c.sms_sent, c.joined_at is not null, c.is_qualified_lead, c.issue_resolved,
            c.escalated, c.talk_ratio, c.listen_ratio, c.script_adherence
        ) is distinct from (
            w.id, w.status, w.direction, w.disposition, w.sentiment, w.analysis_status, w.duration_seconds,
            w.interruptions, w.emails_sent, w.sms_sent, w.joined_at is not null, w.is_qualified_lead, w.issue_resolved,
            w.escalated, w.talk_ratio, w.listen_ratio, w.script_adherence
        ) or row(c.objections, c.buying_signals)::record *<> row(w.objections, w.buying_signals)::record;
        return null;
    end if;
    if tg_op <> 'DELETE' then
        insert into call_changes (
            step, agency_id, started_at, campaign_id, client_id, status, direction, disposition, sentiment, analysis_status,
            duration_seconds, interruptions, emails_sent, sms_sent, joined, is_qualified_lead, issue_resolved,
            escalated, talk_ratio, listen_ratio, script_adherence, objections, buying_signals
        )
        select
            one_step, c.agency_id, c.started_at, c.campaign_id, c.client_id, c.status, c.direction, c.disposition, c.sentiment,
            c.analysis_status, c.duration_seconds, c.interruptions, c.emails_sent, c.sms_sent, c.joined_at is not null,
            c.is_qualified_lead, c.issue_resolved, c.escalated, c.talk_ratio, c.listen_ratio, c.script_adherence, case
            when jsonb_array_length(c.objections) > 0 then c.objections end, case when
            jsonb_array_length(c.buying_signals) > 0 then c.buying_signals end
        from came as c;
    end if;
    if tg_op <> 'INSERT' then
        insert into call_changes (
            step, agency_id, started_at, campaign_id, client_id, was_status, was_direction, was_disposition, was_sentiment,
            was_analysis_status, was_duration_seconds, was_interruptions, was_emails_sent, was_sms_sent, was_joined,
            was_is_qualified_lead, was_issue_resolved, was_escalated, was_talk_ratio, was_listen_ratio,
            was_script_adherence, was_objections, was_buying_signals
        )
        select
            one_step, w.agency_id, w.started_at, w.campaign_id, w.client_id, w.status, w.direction, w.disposition, w.sentiment,
            w.analysis_status, w.duration_seconds, w.interruptions, w.emails_sent, w.sms_sent, w.joined_at is not null,
            w.is_qualified_lead, w.issue_resolved, w.escalated, w.talk_ratio, w.listen_ratio, w.script_adherence, case
            when jsonb_array_length(w.objections) > 0 then w.objections end, case when
            jsonb_array_length(w.buying_signals) > 0 then w.buying_signals end
        from went as w;
    end if;
    return null;
end
$$;

-- The same row by row, for what comes by logical replication, whose apply worker fires no trigger of statements, and for loads
-- with session_replication_role = replica.
create function log_call_change() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if tg_op <> 'DELETE' then
        insert into call_changes (
            agency_id, started_at, campaign_id, client_id, status, direction, disposition, sentiment, analysis_status,
            duration_seconds, interruptions, emails_sent, sms_sent, joined, is_qualified_lead, issue_resolved,
            escalated, talk_ratio, listen_ratio, script_adherence, objections, buying_signals
        )
        select
            new.agency_id, new.started_at, new.campaign_id, new.client_id, new.status, new.direction, new.disposition,
            new.sentiment, new.analysis_status, new.duration_seconds, new.interruptions, new.emails_sent, new.sms_sent,
            new.joined_at is not null, new.is_qualified_lead, new.issue_resolved, new.escalated, new.talk_ratio,
            new.listen_ratio, new.script_adherence, case when jsonb_array_length(new.objections) > 0 then
            new.objections end, case when jsonb_array_length(new.buying_signals) > 0 then new.buying_signals end;
    end if;
    if tg_op <> 'INSERT' then
        insert into call_changes (
            agency_id, started_at, campaign_id, client_id, was_status, was_direction, was_disposition, was_sentiment,
            was_analysis_status, was_duration_seconds, was_interruptions, was_emails_sent, was_sms_sent, was_joined,
            was_is_qualified_lead, was_issue_resolved, was_escalated, was_talk_ratio, was_listen_ratio,
            was_script_adherence, was_objections, was_buying_signals
        )
        select
            old.agency_id, old.started_at, old.campaign_id, old.client_id, old.status, old.direction, old.disposition,
            old.sentiment, old.analysis_status, old.duration_seconds, old.interruptions, old.emails_sent, old.sms_sent,
            old.joined_at is not null, old.is_qualified_lead, old.issue_resolved, old.escalated, old.talk_ratio,
            old.listen_ratio, old.script_adherence, case when jsonb_array_length(old.objections) > 0 then
            old.objections end, case when jsonb_array_length(old.buying_signals) > 0 then old.buying_signals end;
    end if;
    return null;
end
$$;

create trigger calls_log_inserted after insert on calls
referencing new table as came
for each statement execute function log_call_changes();
create trigger calls_log_deleted after delete on calls
referencing old table as went
for each statement execute function log_call_changes();
create trigger calls_log_updated after update on calls
referencing old table as went new table as came
for each statement execute function log_call_changes();
-- In an ordinary session it never fires, even where a restore (pg_restore --disable-triggers) has enabled it for one: a
-- call is counted by one of the two, and never by both.
create trigger calls_log_row after insert or update or delete on calls
for each row when (current_setting('session_replication_role') = 'replica')
execute function log_call_change();
alter table calls enable replica trigger calls_log_row;
create trigger calls_version_truncated after truncate on calls
for each statement execute function raise_everybodys_version();
alter table calls enable always trigger calls_version_truncated;

-- A change is written by the triggers of calls and by nobody else. What a restore of data brings is in its calls as well,
-- which log themselves; twice would be counted twice.
create function skip_row() returns trigger
language plpgsql as $$
begin
    return null;
end
$$;
create trigger call_changes_come_of_calls before insert on call_changes
for each row when (pg_trigger_depth() = 0)
execute function skip_row();
alter table call_changes enable always trigger call_changes_come_of_calls;
create trigger call_changes_are_no_replica before update or delete on call_changes
for each row when (
    current_setting('session_replication_role') = 'replica'
    and current_setting('call_changes.folding', true) is distinct from 'on'
)
execute function skip_row();
alter table call_changes enable always trigger call_changes_are_no_replica;
-- Nor are another server's versions of what was changed here as well: what comes from there raises those of this one.
create trigger data_versions_are_no_replica before insert or update or delete on data_versions
for each row when (
    pg_trigger_depth() = 0 and current_setting('session_replication_role') = 'replica'
    and current_setting('call_changes.folding', true) is distinct from 'on'
)
execute function skip_row();
alter table data_versions enable always trigger data_versions_are_no_replica;

-- migrate:down
-- Forward only.
