-- migrate:up
-- The objections report's own rollup: how often each text was found, by day, in the transaction that changes the call.

set local lock_timeout = '10s';
set local statement_timeout = '60s';

create type finding_kind as enum ('objection', 'signal');

-- The one definition of what is found in a call: one row an objection or buying signal that has a text, in its spelling
-- but for white space. Triggers, repair and recount use it. A plain expression over its argument, so it is inlined.
create function call_findings(c calls) returns table (kind finding_kind, text text, handled integer)
language sql immutable parallel safe as $$
    select
        k.kind,
        s.text,
        (k.kind = 'objection' and coalesce(e.value -> 'handled' = 'true', false))::integer
    from (values ('objection'::finding_kind, c.objections), ('signal', c.buying_signals)) as k (kind, found)
    cross join lateral jsonb_array_elements(k.found) as e
    cross join lateral (select btrim(regexp_replace(e.value ->> 'text', '\s+', ' ', 'g')) as text) as s
    where s.text <> ''
$$;

-- Texts are of any length and an index entry is not: a spelling is known by half of its SHA-256.
-- (Not in SQL: `convert_to` counts as stable, so it would not be inlined, and be planned anew by each statement.)
create function finding_key(spelling text) returns uuid
language plpgsql immutable strict parallel safe as $$
begin
    return encode(substring(sha256(convert_to(spelling, 'UTF8')) for 16), 'hex')::uuid;
end
$$;

-- No foreign keys: derived, as call_stats_daily. Counts are in no index, so that counting on rewrites no index entry
-- as long as the page has room, for which a fifth of it is left.
create table call_findings_daily (
    agency_id uuid not null,
    campaign_id uuid,
    client_id uuid,
    text_key uuid not null generated always as (finding_key(text)) stored,
    count integer not null,
    handled integer not null,
    stat_date date not null,
    kind finding_kind not null,
    text text not null,
    unique nulls not distinct (agency_id, campaign_id, stat_date, client_id, kind, text_key)
) with (fillfactor = 80);
create index call_findings_daily_by_client on call_findings_daily (agency_id, client_id, stat_date);
comment on table call_findings_daily is 'How often a text was found on a UTC day, for each campaign or none and client or none.';

create table agency_findings_daily (
    agency_id uuid not null,
    text_key uuid not null generated always as (finding_key(text)) stored,
    count integer not null,
    handled integer not null,
    stat_date date not null,
    kind finding_kind not null,
    text text not null,
    unique (agency_id, stat_date, kind, text_key)
) with (fillfactor = 80);
comment on table agency_findings_daily is 'How often a text was found on a UTC day in all of an agency''s calls: for who may see them all and asks for all.';

-- What the transaction at hand has changed so far, as call_stats_changes; and its turns, which have no other column.
create unlogged table call_findings_changes (
    transaction_id xid8 not null default pg_current_xact_id(),
    turn integer,
    of_agency_only boolean,
    agency_id uuid,
    stat_date date,
    campaign_id uuid,
    client_id uuid,
    kind finding_kind,
    text text,
    count integer,
    handled integer
);
comment on column call_findings_changes.of_agency_only is 'Which of the two tables it changes; null: both, as calls do.';
create index call_findings_changes_mine on call_findings_changes (transaction_id);

-- Has the transaction's notes applied at commit, once however many there are: the marker is undone with a savepoint,
-- just as the event is. It is set first, because in a transaction that wants its constraints checked at once it is
-- taken back before this returns. With its caller's rights, which are those of the functions below.
create function queue_call_findings() returns void
language plpgsql as $$
begin
    if current_setting('call_findings.queued_in', true) is distinct from pg_current_xact_id()::text then
        perform set_config('call_findings.queued_in', pg_current_xact_id()::text, true);
        insert into call_findings_changes (turn) values (1);
    end if;
end
$$;

create function note_call_findings() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    any_found boolean := false;
begin
    if tg_op <> 'INSERT' then
        insert into call_findings_changes (agency_id, stat_date, campaign_id, client_id, kind, text, count, handled)
        select old.agency_id, call_day(old.started_at), old.campaign_id, old.client_id, f.kind, f.text, -1, -f.handled
        from call_findings(old) as f;
        any_found := found;
    end if;
    if tg_op <> 'DELETE' then
        insert into call_findings_changes (agency_id, stat_date, campaign_id, client_id, kind, text, count, handled)
        select new.agency_id, call_day(new.started_at), new.campaign_id, new.client_id, f.kind, f.text, 1, f.handled
        from call_findings(new) as f;
        any_found := any_found or found;
    end if;
    if any_found then
        perform queue_call_findings();
    end if;
    return null;
end
$$;

-- Adds the transaction's changes to both tables, each in key order.
--
-- All rollup rows are locked in one order, or two transactions could wait for each other: those of call_stats_daily,
-- then these. Row triggers fire before the statement's, so the event here may stand before that of call_stats_changes
-- in the queue, or behind it. Events that are queued while a commit fires its own are fired after all of these: the
-- first turn does nothing but queue the second, and by then call_stats_daily has its counts.
create function apply_call_findings() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    emptied tid[];
begin
    if new.turn = 1 then
        insert into call_findings_changes (turn) values (2);
        return null;
    end if;
    perform set_config('call_findings.queued_in', '', true);

    with net as (
        select agency_id, campaign_id, stat_date, client_id, kind, text, sum(count) as count, sum(handled) as handled
        from call_findings_changes
        where transaction_id = pg_current_xact_id() and turn is null and of_agency_only is not true
        group by agency_id, campaign_id, stat_date, client_id, kind, text
        having sum(count) <> 0 or sum(handled) <> 0
    ),
    posted as (
        insert into call_findings_daily as d (agency_id, campaign_id, stat_date, client_id, kind, text, count, handled)
        select agency_id, campaign_id, stat_date, client_id, kind, text, count, handled
        from net
        order by agency_id, campaign_id, stat_date, client_id, kind, finding_key(text)
        on conflict (agency_id, campaign_id, stat_date, client_id, kind, text_key) do update
        set count = d.count + excluded.count, handled = d.handled + excluded.handled
        returning d.ctid as place, d.count, d.handled
    )
    select array_agg(place) into emptied from posted where count = 0 and handled = 0;
    if emptied is not null then
        delete from call_findings_daily where ctid = any(emptied);
    end if;

    with changes as (
        delete from call_findings_changes where transaction_id = pg_current_xact_id() returning *
    ),
    net as (
        select agency_id, stat_date, kind, text, sum(count) as count, sum(handled) as handled
        from changes
        where turn is null and of_agency_only is not false
        group by agency_id, stat_date, kind, text
        having sum(count) <> 0 or sum(handled) <> 0
    ),
    posted as (
        insert into agency_findings_daily as d (agency_id, stat_date, kind, text, count, handled)
        select agency_id, stat_date, kind, text, count, handled
        from net
        order by agency_id, stat_date, kind, finding_key(text)
        on conflict (agency_id, stat_date, kind, text_key) do update
        set count = d.count + excluded.count, handled = d.handled + excluded.handled
        returning d.ctid as place, d.count, d.handled
    )
    select array_agg(place) into emptied from posted where count = 0 and handled = 0;
    if emptied is not null then
        delete from agency_findings_daily where ctid = any(emptied);
    end if;
    return null;
end
$$;

create constraint trigger apply_findings_at_commit after insert on call_findings_changes
deferrable initially deferred
for each row when (new.turn is not null) execute function apply_call_findings();

-- Calls without findings note nothing. An update is compared as stored: jsonb's own equality takes 1 for 1.0, and a text
-- may be either. The condition is short because each statement reads it anew.
create trigger calls_findings_inserted after insert on calls
for each row when (new.objections <> '[]' or new.buying_signals <> '[]')
execute function note_call_findings();
create trigger calls_findings_deleted after delete on calls
for each row when (old.objections <> '[]' or old.buying_signals <> '[]')
execute function note_call_findings();
create trigger calls_findings_updated after update on calls
for each row when (
    row(old.objections, old.buying_signals, old.started_at, old.agency_id, old.campaign_id, old.client_id)::record
    *<> row(new.objections, new.buying_signals, new.started_at, new.agency_id, new.campaign_id, new.client_id)::record
)
execute function note_call_findings();

create function forget_call_findings() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    delete from call_findings_changes where transaction_id = pg_current_xact_id() and turn is null;
    delete from call_findings_daily;
    delete from agency_findings_daily;
    return null;
end
$$;
create trigger calls_findings_truncated after truncate on calls
for each statement execute function forget_call_findings();

-- One row for each row of the two tables that is not what the calls add up to, with what is missing (or, negative, too
-- much); as call_stats_drift, one snapshot, exact whoever is writing.
create function call_findings_drift(agency uuid, from_day date, to_day date) returns table (
    of_agency_only boolean, agency_id uuid, stat_date date, campaign_id uuid, client_id uuid, kind finding_kind, text text,
    count numeric, handled numeric
) language sql stable set search_path = public, pg_temp as $$
    with raw as (
        select
            c.agency_id, call_day(c.started_at) as stat_date, c.campaign_id, c.client_id, f.kind, f.text,
            count(*) as count, sum(f.handled) as handled
        from calls as c
        cross join lateral call_findings(c) as f
        where (agency is null or c.agency_id = agency)
            and c.started_at >= from_day::timestamp at time zone 'UTC'
            and c.started_at < (to_day + 1)::timestamp at time zone 'UTC'
        group by 1, 2, 3, 4, 5, 6
    )
    select
        of_agency_only, agency_id, stat_date, campaign_id, client_id, kind, text,
        sum(sign * count), sum(sign * handled)
    from (
        select 1 as sign, false as of_agency_only, r.* from raw as r
        union all
        select 1, true, r.agency_id, r.stat_date, null, null, r.kind, r.text, r.count, r.handled from raw as r
        union all
        select
            -1, false, d.agency_id, d.stat_date, d.campaign_id, d.client_id, d.kind, d.text, d.count, d.handled
        from call_findings_daily as d
        where (agency is null or d.agency_id = agency) and d.stat_date between from_day and to_day
        union all
        select -1, true, d.agency_id, d.stat_date, null, null, d.kind, d.text, d.count, d.handled
        from agency_findings_daily as d
        where (agency is null or d.agency_id = agency) and d.stat_date between from_day and to_day
        union all
        select
            -1, t.of_agency_only, p.agency_id, p.stat_date, case when not t.of_agency_only then p.campaign_id end,
            case when not t.of_agency_only then p.client_id end, p.kind, p.text, p.count, p.handled
        from call_findings_changes as p
        inner join (values (false), (true)) as t (of_agency_only)
            on coalesce(p.of_agency_only, t.of_agency_only) = t.of_agency_only
        where p.transaction_id = pg_current_xact_id_if_assigned() and p.turn is null
            and (agency is null or p.agency_id = agency) and p.stat_date between from_day and to_day
    ) as sides
    group by of_agency_only, agency_id, stat_date, campaign_id, client_id, kind, text
    having sum(sign * count) <> 0 or sum(sign * handled) <> 0
$$;

-- Posts the drift as one more change of this transaction, as repair_call_stats, and gives the number of rows repaired.
create function repair_call_findings(agency uuid, from_day date, to_day date) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    repaired bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended('repair_call_findings', 0));
    insert into call_findings_changes (
        of_agency_only, agency_id, stat_date, campaign_id, client_id, kind, text, count, handled
    )
    select * from call_findings_drift(agency, from_day, to_day);
    get diagnostics repaired = row_count;
    if repaired > 0 then
        perform queue_call_findings();
        -- No call has changed, which is what raises versions otherwise.
        perform raise_data_version(t.agency_id)
        from (
            select distinct c.agency_id from call_findings_changes as c
            where c.transaction_id = pg_current_xact_id() and c.agency_id is not null
        ) as t;
    end if;
    return repaired;
end
$$;

-- The scheduled job of 0008 repairs the findings as well.
create or replace function recount_call_stats(days integer default 7, moment timestamptz default now())
returns setof cron_job_logs
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    job_name constant text := 'recount_call_stats';
    due constant timestamptz := date_bin('6 hours', moment, '2000-01-01 00:00+00');
    last_day constant date := call_day(moment);
    first_day constant date := last_day - (days - 1);
    log_id uuid;
    checked bigint;
    repaired bigint;
begin
    if days < 1 then
        raise exception 'days must be 1 or more, not %', days;
    end if;
    if not pg_try_advisory_xact_lock(hashtextextended(job_name, 0)) then
        return;
    end if;
    if exists (select from cron_job_logs as l where l.job = job_name and l.slot = due and l.status = 'completed') then
        return;
    end if;
    insert into cron_job_logs (job, slot, started_at) values (job_name, due, clock_timestamp()) returning id into log_id;
    begin
        select count(*) into checked from call_stats_daily as s where s.stat_date between first_day and last_day;
        repaired := repair_call_stats(null, first_day, last_day) + repair_call_findings(null, first_day, last_day);
        set constraints apply_at_commit immediate;
        set constraints apply_findings_at_commit immediate;
        update cron_job_logs as l
        set status = 'completed', rows = checked, rows_repaired = repaired, finished_at = clock_timestamp()
        where l.id = log_id;
    exception when others then
        update cron_job_logs as l set status = 'failed', error = sqlerrm, finished_at = clock_timestamp()
        where l.id = log_id;
    end;
    set constraints apply_at_commit, apply_findings_at_commit deferred;
    return query select * from cron_job_logs as l where l.id = log_id;
end
$$;

alter table call_findings_daily enable row level security;
alter table agency_findings_daily enable row level security;
alter table call_findings_changes enable row level security;

-- It writes with its owner's rights, so nobody else may call it.
revoke execute on function repair_call_findings(uuid, date, date) from public;
do $$
declare
    role_name text;
begin
    for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
        execute format('revoke execute on function repair_call_findings(uuid, date, date) from %I', role_name);
    end loop;
end
$$;

-- What was there before, however long that takes; the triggers made above keep writers waiting until it is counted.
set local statement_timeout = 0;
insert into call_findings_daily (agency_id, campaign_id, stat_date, client_id, kind, text, count, handled)
select c.agency_id, c.campaign_id, call_day(c.started_at), c.client_id, f.kind, f.text, count(*), sum(f.handled)
from calls as c
cross join lateral call_findings(c) as f
group by 1, 2, 3, 4, 5, 6
order by 1, 2, 3;
insert into agency_findings_daily (agency_id, stat_date, kind, text, count, handled)
select d.agency_id, d.stat_date, d.kind, d.text, sum(d.count), sum(d.handled)
from call_findings_daily as d
group by 1, 2, 3, 4
order by 1, 2;

-- The report unnests no calls any more, and nothing else read this. Last, because readers wait from here to the end.
-- squawk-ignore require-concurrent-index-deletion
drop index calls_with_findings;

-- migrate:down
-- Forward only.
