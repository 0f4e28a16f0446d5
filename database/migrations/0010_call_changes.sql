-- migrate:up
-- What is counted of a call, and the log of what was changed in it: that is all that writing a call costs.

set local lock_timeout = '10s';
set local statement_timeout = '60s';

-- One row a side of a call that was written: as it is now (sign 1), or as it was until then (-1). Written with the call,
-- in its transaction. The rollups are added up from these rows by folds (0011), each of very many, and what no fold has
-- added yet is added by whoever reads. So no writer waits for another, and nobody misses a call.
-- Its columns are all that counting a call, and finding in it, may depend on.
create table call_changes (
    transaction_id xid8 not null default pg_current_xact_id(),
    id bigint generated always as identity,
    changed_at timestamptz not null default now(),
    sign integer not null,
    agency_id uuid not null,
    started_at timestamptz not null,
    campaign_id uuid,
    client_id uuid,
    status call_status not null,
    direction call_direction not null,
    disposition call_disposition,
    sentiment call_sentiment,
    analysis_status enrichment_status not null,
    duration_seconds integer,
    interruptions integer,
    emails_sent integer not null,
    sms_sent integer not null,
    joined boolean not null,
    is_qualified_lead boolean not null,
    issue_resolved boolean not null,
    escalated boolean not null,
    talk_ratio numeric,
    listen_ratio numeric,
    script_adherence numeric,
    objections jsonb not null,
    buying_signals jsonb not null,
    primary key (transaction_id, id)
) with (
    -- It is short, and its rows are soon deleted. Its file keeps its size, or each vacuum would lock readers out to cut it.
    autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_insert_threshold = -1,
    vacuum_truncate = off
);
alter table call_changes enable row level security;

-- A call as the log has it.
create function call_change(c calls) returns call_changes
language sql immutable parallel safe as $$
    select row(
        null::xid8, null::bigint, null::timestamptz, 1,
        c.agency_id, c.started_at, c.campaign_id, c.client_id, c.status, c.direction, c.disposition, c.sentiment,
        c.analysis_status, c.duration_seconds, c.interruptions, c.emails_sent, c.sms_sent, c.joined_at is not null,
        c.is_qualified_lead, c.issue_resolved, c.escalated, c.talk_ratio, c.listen_ratio, c.script_adherence,
        c.objections, c.buying_signals
    )::call_changes
$$;

-- The one definition of every counter. Folds, repair, the scheduled recount and raw reads use it, of calls or of changes;
-- nothing else may. A plain expression over its argument, so PostgreSQL inlines it wherever it is called.
-- The last two are no metrics: other reports' `calls_analyzed`, and `freshness`, follow from them.
create function call_counts(c call_changes) returns table (
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
        case
            when c.objections = '[]' then 0
            else jsonb_array_length(jsonb_path_query_array(c.objections, 'strict $[*] ? (@.handled == true)'))
        end,
        jsonb_array_length(c.buying_signals),
        c.emails_sent,
        c.sms_sent,
        case when c.status = 'completed' then coalesce(c.talk_ratio, 0) else 0 end,
        (c.status = 'completed' and c.talk_ratio is not null)::integer,
        case when c.status = 'completed' then coalesce(c.listen_ratio, 0) else 0 end,
        (c.status = 'completed' and c.listen_ratio is not null)::integer,
        case when c.status = 'completed' then coalesce(c.script_adherence, 0) else 0 end,
        (c.status = 'completed' and c.script_adherence is not null)::integer,
        (c.analysis_status = 'completed')::integer,
        (f.connected and c.analysis_status = 'completed')::integer
    from (
        select
            a.connected,
            a.connected and coalesce(
                c.disposition in ('conversation', 'appointment_booked', 'callback_requested', 'not_interested'), false
            ) as conversation,
            a.connected and coalesce(c.disposition = 'appointment_booked', false) as booked
        from (
            select c.joined
                and coalesce(c.disposition not in ('voicemail', 'no_answer'), true) as connected
        ) as a
    ) as f
$$;

-- squawk-ignore ban-drop-function
drop function call_counts(calls);
create function call_counts(c calls) returns table (
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
) language sql immutable parallel safe as $$
    select n.* from call_counts(call_change(c)) as n
$$;

create type finding_kind as enum ('objection', 'signal');

-- The one definition of what is found in a call: one row an objection or buying signal that has a text, in its spelling
-- but for white space, each run of which is one space. Used and inlined as `call_counts`.
create function call_findings(c call_changes) returns table (kind finding_kind, text text, handled integer)
language sql immutable parallel safe as $$
    select
        k.kind,
        s.text,
        (k.kind = 'objection' and coalesce(e.value -> 'handled' = 'true', false))::integer
    from (values ('objection'::finding_kind, c.objections), ('signal', c.buying_signals)) as k (kind, found)
    cross join lateral jsonb_array_elements(k.found) as e
    cross join lateral (select btrim(regexp_replace(e.value ->> 'text', '\s\s+|[^\S ]', ' ', 'g')) as text) as s
    where s.text <> ''
$$;
create function call_findings(c calls) returns table (kind finding_kind, text text, handled integer)
language sql immutable parallel safe as $$ select f.* from call_findings(call_change(c)) as f $$;

-- The UTC hour in which a call began, 0 to 23.
create function call_hour(started_at timestamptz) returns integer
language sql immutable parallel safe as $$ select extract(hour from started_at at time zone 'UTC')::integer $$;

-- Of an update only the calls whose facts it changed. What was found is compared as stored: jsonb's own equality takes
-- 1 for 1.0, and a text may be either. The two sides are never joined row by row, however few they were when the plan was made: a full
-- join cannot be. It also keeps a side whose call was given another id.
create function log_call_changes() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if tg_op = 'INSERT' then
        insert into call_changes (
            sign, agency_id, started_at, campaign_id, client_id, status, direction, disposition, sentiment,
            analysis_status, duration_seconds, interruptions, emails_sent, sms_sent, joined, is_qualified_lead,
            issue_resolved, escalated, talk_ratio, listen_ratio, script_adherence, objections, buying_signals
        )
        select
            1, c.agency_id, c.started_at, c.campaign_id, c.client_id, c.status, c.direction, c.disposition, c.sentiment,
            c.analysis_status, c.duration_seconds, c.interruptions, c.emails_sent, c.sms_sent, c.joined_at is not null,
            c.is_qualified_lead, c.issue_resolved, c.escalated, c.talk_ratio, c.listen_ratio, c.script_adherence,
            c.objections, c.buying_signals
        from came as c;
    elsif tg_op = 'DELETE' then
        insert into call_changes (
            sign, agency_id, started_at, campaign_id, client_id, status, direction, disposition, sentiment,
            analysis_status, duration_seconds, interruptions, emails_sent, sms_sent, joined, is_qualified_lead,
            issue_resolved, escalated, talk_ratio, listen_ratio, script_adherence, objections, buying_signals
        )
        select
            -1, w.agency_id, w.started_at, w.campaign_id, w.client_id, w.status, w.direction, w.disposition,
            w.sentiment, w.analysis_status, w.duration_seconds, w.interruptions, w.emails_sent, w.sms_sent,
            w.joined_at is not null, w.is_qualified_lead, w.issue_resolved, w.escalated, w.talk_ratio, w.listen_ratio,
            w.script_adherence, w.objections, w.buying_signals
        from went as w;
    else
        insert into call_changes (
            sign, agency_id, started_at, campaign_id, client_id, status, direction, disposition, sentiment,
            analysis_status, duration_seconds, interruptions, emails_sent, sms_sent, joined, is_qualified_lead,
            issue_resolved, escalated, talk_ratio, listen_ratio, script_adherence, objections, buying_signals
        )
        select s.*
        from came as c
        full join went as w on w.id = c.id
        cross join lateral (
            select
                -1, w.agency_id, w.started_at, w.campaign_id, w.client_id, w.status, w.direction, w.disposition,
                w.sentiment, w.analysis_status, w.duration_seconds, w.interruptions, w.emails_sent, w.sms_sent,
                w.joined_at is not null, w.is_qualified_lead, w.issue_resolved, w.escalated, w.talk_ratio, w.listen_ratio,
                w.script_adherence, w.objections, w.buying_signals
            where w.id is not null
            union all
            select
                1, c.agency_id, c.started_at, c.campaign_id, c.client_id, c.status, c.direction, c.disposition, c.sentiment,
                c.analysis_status, c.duration_seconds, c.interruptions, c.emails_sent, c.sms_sent, c.joined_at is not null,
                c.is_qualified_lead, c.issue_resolved, c.escalated, c.talk_ratio, c.listen_ratio, c.script_adherence,
                c.objections, c.buying_signals
            where c.id is not null
        ) as s
        where (
            c.agency_id, c.started_at, c.campaign_id, c.client_id, c.status, c.direction, c.disposition, c.sentiment,
            c.analysis_status, c.duration_seconds, c.interruptions, c.emails_sent, c.sms_sent, c.joined_at is not null,
            c.is_qualified_lead, c.issue_resolved, c.escalated, c.talk_ratio, c.listen_ratio, c.script_adherence
        ) is distinct from (
            w.agency_id, w.started_at, w.campaign_id, w.client_id, w.status, w.direction, w.disposition, w.sentiment,
            w.analysis_status, w.duration_seconds, w.interruptions, w.emails_sent, w.sms_sent, w.joined_at is not null,
            w.is_qualified_lead, w.issue_resolved, w.escalated, w.talk_ratio, w.listen_ratio, w.script_adherence
        ) or row(c.objections, c.buying_signals)::record *<> row(w.objections, w.buying_signals)::record;
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
create trigger calls_version_truncated after truncate on calls
for each statement execute function raise_everybodys_version();

-- The changes that no fold has added are found by their transactions, never by looking through the log: between two
-- vacuums that is full of rows that were folded. Every fold notes which transactions it could not see: those that were
-- running, and all that were still to come. A change is in the log as long as its fold has not committed, so these are
-- all there can be, for whoever sees the fold's row.
create table call_fold (
    folded_by xid8 not null default pg_current_xact_id(),
    first xid8[] not null,
    last xid8[] not null
) with (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
comment on table call_fold is 'One row: the ranges of transactions whose changes the last fold could not see.';
create unique index call_fold_one on call_fold ((true));
alter table call_fold enable row level security;
insert into call_fold (first, last) values ('{0}', '{18446744073709551615}');

-- In a database that was restored from a dump, numbers of transactions begin anew and the row says nothing. It was
-- then written by another transaction than the one it names; so it was if a savepoint's wrote it, which costs no more.
-- The limit limits nothing: for one that is not known beforehand a tenth of the rows is expected, so one, as it nearly
-- always is, and the log is then read by its index even when a plan was made with few changes in it.
create view unfolded_transactions with (security_invoker = true) as
select s.first, s.last
from (select first, last, xmin = folded_by::xid as is_known from call_fold) as f
cross join lateral (
    select t.first, t.last
    from unnest(
        case when f.is_known then f.first else '{0}' end,
        case when f.is_known then f.last else '{18446744073709551615}' end
    ) as t (first, last)
    limit greatest(cardinality(f.first), 1)
) as s;

-- What these changes count for, one row each, negative for what no longer is.
create view pending_call_counts with (security_invoker = true) as
select
    p.agency_id, call_day(p.started_at) as stat_date, p.campaign_id, p.client_id, call_hour(p.started_at) as hour,
    p.sign * n.total_calls as total_calls, p.sign * n.completed_calls as completed_calls,
    p.sign * n.failed_calls as failed_calls, p.sign * n.connected_calls as connected_calls,
    p.sign * n.conversations_had as conversations_had, p.sign * n.meetings_booked as meetings_booked,
    p.sign * n.qualified_leads as qualified_leads, p.sign * n.total_duration_seconds as total_duration_seconds,
    p.sign * n.inbound_calls as inbound_calls, p.sign * n.outbound_calls as outbound_calls,
    p.sign * n.positive_sentiment_calls as positive_sentiment_calls,
    p.sign * n.neutral_sentiment_calls as neutral_sentiment_calls,
    p.sign * n.negative_sentiment_calls as negative_sentiment_calls,
    p.sign * n.objections_encountered as objections_encountered, p.sign * n.issues_resolved as issues_resolved,
    p.sign * n.escalations as escalations, p.sign * n.voicemail_calls as voicemail_calls,
    p.sign * n.callback_requested_calls as callback_requested_calls,
    p.sign * n.not_interested_calls as not_interested_calls, p.sign * n.wrong_number_calls as wrong_number_calls,
    p.sign * n.dnc_requested_calls as dnc_requested_calls,
    p.sign * n.gatekeeper_blocked_calls as gatekeeper_blocked_calls, p.sign * n.no_answer_calls as no_answer_calls,
    p.sign * n.conversation_calls as conversation_calls, p.sign * n.total_interruptions as total_interruptions,
    p.sign * n.total_objections_handled as total_objections_handled,
    p.sign * n.total_buying_signals as total_buying_signals, p.sign * n.emails_sent as emails_sent,
    p.sign * n.sms_sent as sms_sent, p.sign * n.talk_ratio_sum as talk_ratio_sum,
    p.sign * n.talk_ratio_calls as talk_ratio_calls, p.sign * n.listen_ratio_sum as listen_ratio_sum,
    p.sign * n.listen_ratio_calls as listen_ratio_calls, p.sign * n.script_adherence_sum as script_adherence_sum,
    p.sign * n.script_adherence_calls as script_adherence_calls, p.sign * n.analyzed_calls as analyzed_calls,
    p.sign * n.analyzed_connected_calls as analyzed_connected_calls,
    p.started_at, p.changed_at
from unfolded_transactions as t
inner join call_changes as p on p.transaction_id between t.first and t.last
cross join lateral call_counts(p) as n;

create view pending_call_findings with (security_invoker = true) as
select
    p.agency_id, call_day(p.started_at) as stat_date, p.campaign_id, p.client_id, f.kind, f.text,
    p.sign as count, p.sign * f.handled as handled
from unfolded_transactions as t
inner join call_changes as p on p.transaction_id between t.first and t.last
cross join lateral call_findings(p) as f
-- Most have nothing to unpack.
where p.objections <> '[]' or p.buying_signals <> '[]';

-- migrate:down
-- Forward only.
