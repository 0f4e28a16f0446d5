-- migrate:up
-- The writing side at work: finished calls queue themselves, workers share the jobs, a recount runs once a slot.

set local lock_timeout = '10s';
set local statement_timeout = '60s';

alter table calls add column analyzed_by text;
comment on column calls.analyzed_by is 'What understood the call, with its version, as in embedded/1.';
-- How many wait: few, so found without passing over those that do not.
create index calls_waiting on calls (agency_id, started_at) include (campaign_id, client_id)
where status = 'completed' and analysis_status in ('pending', 'processing');

-- No job was ever written to the table of 0006. In this one a job that is done is gone, so the queue is as long as the
-- work that is left; what was done shows in `calls`. A job set aside stays, with its reason, until its call is wanted again.
-- squawk-ignore ban-drop-table
drop table enrichment_queue;
-- squawk-ignore ban-drop-type
drop type enrichment_job_status;
create type enrichment_job_status as enum ('queued', 'running', 'failed');

create table enrichment_queue (
    id uuid primary key default gen_random_uuid(),
    agency_id uuid not null,
    call_id uuid not null references calls on delete cascade,
    job_type enrichment_job_type not null,
    status enrichment_job_status not null default 'queued',
    attempts integer not null default 0,
    max_attempts integer not null default 5,
    run_after timestamptz not null default now(),
    locked_by text,
    locked_until timestamptz,
    last_error text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint enrichment_queue_run_after_is_1970_to_2199
    check (run_after >= '1970-01-01 00:00+00' and run_after < '2200-01-01 00:00+00'),
    constraint enrichment_queue_locked_until_is_1970_to_2199
    check (locked_until >= '1970-01-01 00:00+00' and locked_until < '2200-01-01 00:00+00'),
    constraint enrichment_queue_created_at_is_1970_to_2199
    check (created_at >= '1970-01-01 00:00+00' and created_at < '2200-01-01 00:00+00'),
    constraint enrichment_queue_updated_at_is_1970_to_2199
    check (updated_at >= '1970-01-01 00:00+00' and updated_at < '2200-01-01 00:00+00'),
    -- The pause before a try is four times that before the last: ten take weeks.
    constraint enrichment_queue_tries_are_at_most_10 check (attempts >= 0 and max_attempts between 1 and 10),
    unique (call_id, job_type)
);
comment on table enrichment_queue is 'One row a job that is open (queued, running) or was set aside (failed); at most one of a type for a call.';
comment on column enrichment_queue.locked_until is 'When the job returns to the queue, unless its worker asks for more time.';

-- How a worker finds what each agency has waiting, oldest first, without looking at the rest.
create index enrichment_queue_waiting on enrichment_queue (job_type, agency_id, run_after) where status = 'queued';
create index enrichment_queue_running on enrichment_queue (locked_until) where status = 'running';
create index enrichment_queue_failed on enrichment_queue (agency_id, updated_at) where status = 'failed';
alter table enrichment_queue set (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.02
);
alter table enrichment_queue enable row level security;

-- What is known of a call's outcome without its words. In capitals as well: those of ASCII, whatever a locale has.
create function known_disposition(status call_status, joined_at timestamptz, end_reason text)
returns call_disposition language sql immutable parallel safe as $$
    select case
        when end_reason collate "C" ~* 'voicemail|answering.?machine|machine_(detected|start|end)' then 'voicemail'
        when joined_at is null and (status = 'completed' or end_reason collate "C" ~* '^(unjoined|no.?answer|busy)') then 'no_answer'
    end::call_disposition
$$;

-- Decides what is left to find out about a call that has ended. Nothing to analyse (failed, never joined, nothing
-- said): skipped, with the disposition that is known. Webhooks arrive in any order, so what a decision rested on may
-- change later; then it is taken again, and words that changed are understood again.
create function settle_call() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    -- Most arrive like this, and the steps below would cost them more than their row does.
    if tg_op = 'INSERT' and new.status = 'completed' and new.joined_at is not null
        and new.transcript_status = 'pending' and jsonb_array_length(new.transcript) > 0
    then
        new.transcript_status := 'completed';
        return new;
    end if;

    if tg_op = 'UPDATE' and new.analysis_status <> 'pending' then
        if new.analyzed_at is distinct from old.analyzed_at or new.transcript is not distinct from old.transcript and (
            old.analysis_status <> 'skipped'
            or (new.status, new.joined_at, new.end_reason) is not distinct from (old.status, old.joined_at, old.end_reason)
        ) then
            return new;
        end if;
        -- What was understood stays so when the words are taken away, as a retention period does.
        if old.analysis_status = 'completed' and coalesce(jsonb_array_length(new.transcript), 0) = 0 then
            return new;
        end if;
        new.analysis_status := 'pending';
        if new.transcript_status = 'skipped' then
            new.transcript_status := 'pending';
        end if;
        if new.disposition = old.disposition
            and old.disposition = known_disposition(old.status, old.joined_at, old.end_reason)
        then
            new.disposition := null;
        end if;
    end if;

    if new.transcript_status = 'pending' then
        if new.status = 'failed' or new.joined_at is null then
            new.transcript_status := 'skipped';
        elsif jsonb_array_length(new.transcript) > 0 then
            new.transcript_status := 'completed';
        end if;
    end if;
    if new.status = 'failed' or new.joined_at is null
        or (new.transcript_status <> 'pending' and coalesce(jsonb_array_length(new.transcript), 0) = 0)
    then
        new.analysis_status := case when new.transcript_status = 'failed' then 'failed' else 'skipped' end;
        new.disposition := coalesce(new.disposition, known_disposition(new.status, new.joined_at, new.end_reason));
    end if;
    return new;
end
$$;

create trigger calls_settle_inserted before insert on calls
for each row when (new.status in ('completed', 'failed') and new.analysis_status = 'pending')
execute function settle_call();

-- An update that says itself how the analysis went, by its status or its time, is left as it is.
create trigger calls_settle_updated
before update of status, joined_at, end_reason, transcript, transcript_status, analysis_status on calls
for each row when (
    new.status in ('completed', 'failed')
    and (new.analysis_status = 'pending' or new.analysis_status = old.analysis_status)
)
execute function settle_call();

create function open_job(agency uuid, call uuid, wanted enrichment_job_type) returns void
language sql set search_path = public, pg_temp as $$
    insert into enrichment_queue as q (agency_id, call_id, job_type) values (agency, call, wanted)
    on conflict (call_id, job_type) do update
    set status = 'queued', attempts = 0, run_after = now(), updated_at = now()
    where q.status = 'failed'
$$;

-- Queues a call that has ended and is not understood yet: first for its transcript, if it carries none. A job that is
-- open stays as it is; one that was set aside begins anew.
create function queue_call() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    wanted constant enrichment_job_type := case
        when jsonb_array_length(new.transcript) > 0 then 'analysis' else 'transcript'
    end;
begin
    if current_setting('transaction_isolation') = 'read committed' then
        perform open_job(new.agency_id, new.id, wanted);
        return null;
    end if;
    begin
        perform open_job(new.agency_id, new.id, wanted);
    exception when serialization_failure then
        -- Somebody has touched the job since this snapshot was taken, so it is open: no reason to refuse the call.
        return null;
    end;
    return null;
end
$$;

create trigger calls_queue_inserted after insert on calls
for each row when (new.status = 'completed' and new.analysis_status = 'pending')
execute function queue_call();
create trigger calls_queue_updated after update on calls
for each row when (new.status = 'completed' and new.analysis_status = 'pending')
execute function queue_call();

-- What asking models has cost, whether the answer was of use or not; outlives the calls it was spent on.
create table analysis_usage (
    id uuid primary key default gen_random_uuid(),
    agency_id uuid not null references agencies on delete cascade,
    call_id uuid not null,
    asked_at timestamptz not null default now(),
    model text not null,
    input_tokens bigint not null,
    output_tokens bigint not null,
    cost_usd numeric,
    constraint analysis_usage_asked_at_is_1970_to_2199
    check (asked_at >= '1970-01-01 00:00+00' and asked_at < '2200-01-01 00:00+00')
);
comment on table analysis_usage is 'One row a request to a model.';
create index analysis_usage_by_agency on analysis_usage (agency_id, asked_at);
alter table analysis_usage enable row level security;

-- The key with which an agency's transcripts are fetched from its platform.
create table agency_keys (
    agency_id uuid primary key references agencies on delete cascade,
    ultravox_api_key text not null check (ultravox_api_key <> ''),
    updated_at timestamptz not null default now(),
    constraint agency_keys_updated_at_is_1970_to_2199
    check (updated_at >= '1970-01-01 00:00+00' and updated_at < '2200-01-01 00:00+00')
);
alter table agency_keys enable row level security;
create trigger agency_keys_touch before update on agency_keys
for each row execute function touch_updated_at();

-- The one place that reads a key. Who keeps them elsewhere, as in Supabase's Vault, replaces this function.
create function ultravox_api_key(agency uuid) returns text
language sql stable security definer set search_path = public, pg_temp as $$
    select k.ultravox_api_key from agency_keys as k where k.agency_id = agency
$$;

alter table cron_job_logs add column slot timestamptz constraint cron_job_logs_slot_is_1970_to_2199
check (slot >= '1970-01-01 00:00+00' and slot < '2200-01-01 00:00+00');
alter table cron_job_logs add column rows_repaired bigint;
comment on column cron_job_logs.rows is 'Rows the job looked at.';
comment on column cron_job_logs.slot is 'The moment the run was due: a slot is completed once, however many schedulers there are.';
create unique index cron_job_logs_once on cron_job_logs (job, slot) where status = 'completed';

-- The scheduled job: recounts the last days (today and the days before it, UTC), repairs what differs and logs it.
-- Gives the run's log, or nothing when this slot is done or another is at it. A slot lasts 6 hours.
create function recount_call_stats(days integer default 7, moment timestamptz default now())
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
        repaired := repair_call_stats(null, first_day, last_day);
        set constraints apply_at_commit immediate;
        update cron_job_logs as l
        set status = 'completed', rows = checked, rows_repaired = repaired, finished_at = clock_timestamp()
        where l.id = log_id;
    exception when others then
        update cron_job_logs as l set status = 'failed', error = sqlerrm, finished_at = clock_timestamp()
        where l.id = log_id;
    end;
    set constraints apply_at_commit deferred;
    return query select * from cron_job_logs as l where l.id = log_id;
end
$$;

-- Nobody but the gateway's own role: Supabase grants its API's roles every function.
revoke execute on function recount_call_stats(integer, timestamptz) from public;
revoke execute on function ultravox_api_key(uuid) from public;
do $$
declare
    role_name text;
begin
    for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
        execute format('revoke execute on function recount_call_stats(integer, timestamptz) from %I', role_name);
        execute format('revoke execute on function ultravox_api_key(uuid) from %I', role_name);
    end loop;
end
$$;

-- What was there before queues itself now, however long that takes.
set local statement_timeout = 0;
update calls set analysis_status = analysis_status where status in ('completed', 'failed') and analysis_status = 'pending';

-- migrate:down
-- Forward only.
