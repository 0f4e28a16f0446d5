-- migrate:up
-- The changes that wait, and the rollups that folds (0014) add them to.

set local lock_timeout = '10s';
set local statement_timeout = '60s';

-- The changes that no fold has added are found by their transactions, never by looking through the log: between two
-- vacuums that is full of rows that were folded. Every fold notes which transactions it could not see: those that were
-- running, and all that were still to come. A change is in the log as long as its fold has not committed, so these are
-- all there can be, for whoever sees the fold's row.
-- Numbers of transactions mean something in the server that gave them. A row that a restore has written, or a replica's apply
-- worker, says nothing of the transactions here, and it is known by its two moments: the one that it names, and the
-- one when it was really written, which is no column that a dump would hold. Nor does any row where there are several.
create function this_moment(named timestamptz) returns timestamptz
language plpgsql immutable as $$
begin
    -- Not immutable at all, which a generated column asks for; it is worked out once, whenever its row is written.
    return now();
end
$$;
create table call_fold (
    id uuid primary key default gen_random_uuid(),
    first xid8[] not null,
    last xid8[] not null,
    folded_at timestamptz not null default now(),
    written_at timestamptz generated always as (this_moment(folded_at)) stored,
    done_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
comment on table call_fold is 'One row: the ranges of transactions whose changes the last fold could not see.';
comment on column call_fold.done_at is 'When the last fold was made: folded_at is when its transaction began.';
alter table call_fold enable row level security;
insert into call_fold (first, last) values ('{0}', '{18446744073709551615}');

-- Where the ranges are not known all of the log counts, which is right and takes longer. The limit limits nothing: for one
-- that is not known beforehand a tenth of the rows is expected, so one, as it nearly always is, and the log is then
-- read by its index even when a plan was made with few changes in it.
create view unfolded_transactions with (security_invoker = true) as
select s.first, s.last
from (
    select
        case when r.is_known then r.first else '{0}' end as first,
        case when r.is_known then r.last else '{18446744073709551615}' end as last
    from (
        select
            count(*) = 1 and bool_and(f.folded_at = f.written_at) as is_known,
            min(f.first::text)::xid8[] as first, min(f.last::text)::xid8[] as last
        from call_fold as f
    ) as r
) as f
cross join lateral (
    select t.first, t.last
    from unnest(f.first, f.last) as t (first, last)
    limit greatest(cardinality(f.first), 1)
) as s;

-- What these changes count for, one row each, negative for what no longer is.
create view pending_call_counts with (security_invoker = true) as
select
    p.agency_id, call_day(p.started_at) as stat_date, p.campaign_id, p.client_id, call_hour(p.started_at) as hour,
    n.*,
    p.started_at, p.changed_at
from unfolded_transactions as t
inner join call_changes as p on p.transaction_id between t.first and t.last
cross join lateral call_counts(p) as n;

create view pending_call_findings with (security_invoker = true) as
select p.agency_id, call_day(p.started_at) as stat_date, p.campaign_id, p.client_id, f.kind, f.text, f.count, f.handled
from unfolded_transactions as t
inner join call_changes as p on p.transaction_id between t.first and t.last
cross join lateral call_findings(p) as f
-- Most have nothing to unpack.
where coalesce(p.objections, p.buying_signals, p.was_objections, p.was_buying_signals) is not null;

-- What the calls of a day, campaign or none and client or none add up to, but for the changes that wait for their fold.
-- Not to be read as it is: `call_stats_daily` and `call_stats_parts` (0016) have the rest. No foreign keys: it is derived,
-- and follows `calls` through every change of theirs. An average is kept as its sum and the number of calls behind it:
-- both add up, an average does not. Hours are arrays of 24, of which the first is midnight's (UTC).
create table call_stats_folded (
    stat_date date not null check (stat_date between '1970-01-01' and '2199-12-31'),
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
    analyzed_calls bigint not null default 0,
    analyzed_connected_calls bigint not null default 0,
    total_calls_by_hour integer[] not null default '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}',
    connected_calls_by_hour integer[] not null default '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}',
    meetings_booked_by_hour integer[] not null default '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}',
    updated_at timestamptz not null default now(),
    constraint call_stats_folded_updated_at_is_1970_to_2199
    check (updated_at >= '1970-01-01 00:00+00' and updated_at < '2200-01-01 00:00+00'),
    check (cardinality(total_calls_by_hour) = 24 and array_position(total_calls_by_hour, null) is null),
    check (cardinality(connected_calls_by_hour) = 24 and array_position(connected_calls_by_hour, null) is null),
    check (cardinality(meetings_booked_by_hour) = 24 and array_position(meetings_booked_by_hour, null) is null),
    unique nulls not distinct (agency_id, stat_date, campaign_id, client_id)
) with (fillfactor = 80);
create index call_stats_folded_by_campaign on call_stats_folded (agency_id, campaign_id, stat_date);
create index call_stats_folded_by_client on call_stats_folded (agency_id, client_id, stat_date);
-- Without a key that is never null, a publication of all tables would refuse every fold.
alter table call_stats_folded replica identity full;
-- As they are in memory, so that the heatmap need not unpack them for each of the hours it adds up.
alter table call_stats_folded
alter column total_calls_by_hour set storage plain,
alter column connected_calls_by_hour set storage plain,
alter column meetings_booked_by_hour set storage plain;
alter table call_stats_folded enable row level security;

-- The hours again, one row a day: adding up those of each campaign and client took more than half of a dashboard's time.
create table agency_hours_folded (
    agency_id uuid not null,
    stat_date date not null check (stat_date between '1970-01-01' and '2199-12-31'),
    total_calls_by_hour integer[] not null,
    connected_calls_by_hour integer[] not null,
    meetings_booked_by_hour integer[] not null,
    check (cardinality(total_calls_by_hour) = 24 and array_position(total_calls_by_hour, null) is null),
    check (cardinality(connected_calls_by_hour) = 24 and array_position(connected_calls_by_hour, null) is null),
    check (cardinality(meetings_booked_by_hour) = 24 and array_position(meetings_booked_by_hour, null) is null),
    primary key (agency_id, stat_date)
) with (fillfactor = 80);
alter table agency_hours_folded
alter column total_calls_by_hour set storage plain,
alter column connected_calls_by_hour set storage plain,
alter column meetings_booked_by_hour set storage plain;
comment on table agency_hours_folded is 'The hours of call_stats_folded in all of an agency''s calls: for who may see them all and asks for all.';
alter table agency_hours_folded enable row level security;

-- Texts are of any length and an index entry is not: a spelling is known by half of its SHA-256, as are all spellings of one
-- text (`text_key`, 0010).
-- (Not in SQL: `convert_to` counts as stable, so it would not be inlined, and be planned anew by each statement.)
create function spelling_key(spelling text) returns uuid
language plpgsql immutable strict parallel safe as $$
begin
    return encode(substring(sha256(convert_to(spelling, 'UTF8')) for 16), 'hex')::uuid;
end
$$;

-- How often a text was found. Counts are in no index, so that counting on rewrites no index entry as long as the page
-- has room, for which a fifth of it is left.
create table call_findings_folded (
    agency_id uuid not null,
    campaign_id uuid,
    client_id uuid,
    text_key uuid not null,
    count bigint not null,
    handled bigint not null,
    stat_date date not null check (stat_date between '1970-01-01' and '2199-12-31'),
    kind finding_kind not null,
    text text not null
) with (fillfactor = 80);
create unique index call_findings_folded_by_campaign on call_findings_folded (
    agency_id, campaign_id, stat_date, client_id, kind, spelling_key(text)
) nulls not distinct;
create index call_findings_folded_by_client on call_findings_folded (agency_id, client_id, stat_date);
alter table call_findings_folded replica identity full;
comment on table call_findings_folded is 'How often a text was found on a UTC day, for each campaign or none and client or none.';
alter table call_findings_folded enable row level security;

create table agency_findings_folded (
    agency_id uuid not null,
    text_key uuid not null,
    count bigint not null,
    handled bigint not null,
    stat_date date not null check (stat_date between '1970-01-01' and '2199-12-31'),
    kind finding_kind not null,
    text text not null
) with (fillfactor = 80);
create unique index agency_findings_folded_by_day on agency_findings_folded (
    agency_id, stat_date, kind, spelling_key(text)
);
alter table agency_findings_folded replica identity full;
comment on table agency_findings_folded is 'How often a text was found on a UTC day in all of an agency''s calls: for who may see them all and asks for all.';
alter table agency_findings_folded enable row level security;

-- A text's key is the fold's to say; one that was changed by hand would part a text from its other spellings.
create function refuse_other_key() returns trigger
language plpgsql as $$
begin
    raise exception 'text_key follows from the text and cannot be changed' using errcode = 'check_violation';
end
$$;
create trigger call_findings_folded_keep_keys before update of text_key on call_findings_folded
for each row execute function refuse_other_key();
create trigger agency_findings_folded_keep_keys before update of text_key on agency_findings_folded
for each row execute function refuse_other_key();

create function add_hours(hours integer[], more integer[]) returns integer[]
language plpgsql immutable parallel safe as $$
begin
    if 0 <> any (more) then
        for place in 1 .. 24 loop
            if more[place] <> 0 then
                hours[place] := hours[place] + more[place];
            end if;
        end loop;
    end if;
    return hours;
end
$$;
create aggregate sum_hours(more integer[]) (
    sfunc = add_hours, stype = integer[], initcond = '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}'
);

-- So many in one hour and none in the others, or null for none at all.
create function in_hour(hour integer, number bigint) returns integer[]
language sql immutable parallel safe as $$
    select case
        when number <> 0 then array_fill(0, array[hour]) || number::integer || array_fill(0, array[23 - hour])
    end
$$;

create function add_in_hour(hours integer[], hour integer, number integer) returns integer[]
language plpgsql immutable parallel safe as $$
begin
    if number <> 0 then
        hours[hour + 1] := hours[hour + 1] + number;
    end if;
    return hours;
end
$$;
create aggregate sum_by_hour(hour integer, number integer) (
    sfunc = add_in_hour, stype = integer[], initcond = '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}'
);

-- What is written into a rollup by a restore, or comes from another server's, is in the calls as well (0011). Where to look for
-- changes each server says for itself.
do $$
declare
    name text;
begin
    foreach name in array array[
        'call_fold', 'call_stats_folded', 'agency_hours_folded', 'call_findings_folded', 'agency_findings_folded'
    ] loop
        execute format(
            'create trigger %1$s_comes_of_folds before insert on %1$I
            for each row when (current_setting(''call_changes.folding'', true) is distinct from ''on'')
            execute function skip_row();
            alter table %1$I enable always trigger %1$s_comes_of_folds;
            create trigger %1$s_is_no_replica before update or delete on %1$I
            for each row when (
                current_setting(''session_replication_role'') = ''replica''
                and current_setting(''call_changes.folding'', true) is distinct from ''on''
            )
            execute function skip_row();
            alter table %1$I enable always trigger %1$s_is_no_replica',
            name
        );
    end loop;
end
$$;

-- migrate:down
-- Forward only.
