-- migrate:up
-- When the log of changes is folded, what is told of a fold that fails, and the scheduled job.

set local lock_timeout = '10s';
set local statement_timeout = '60s';

-- Notes that a fold failed, and why: once in 6 hours for each reason, however often it is tried.
create function note_failed_fold(reason text) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    job_name constant text := 'fold_call_changes';
    due constant timestamptz := date_bin('6 hours', now(), '2000-01-01 00:00+00');
    noted uuid;
begin
    raise warning 'changes of calls could not be added up and wait: %', reason;
    select l.id into noted
    from cron_job_logs as l
    where l.job = job_name and l.slot = due and l.status = 'failed' and l.error = reason
    limit 1 for update skip locked;
    if noted is null then
        insert into cron_job_logs (job, slot, started_at, finished_at, status, error)
        values (job_name, due, now(), clock_timestamp(), 'failed', reason);
    else
        update cron_job_logs as l set finished_at = clock_timestamp() where l.id = noted;
    end if;
end
$$;

create view failing_folds with (security_invoker = true) as
select l.finished_at as failed_at, l.error
from cron_job_logs as l
where l.job = 'fold_call_changes' and l.status = 'failed'
    -- What is of the future was written by a clock that was ahead and has been set right.
    and l.finished_at <= clock_timestamp() and l.finished_at > coalesce(
        (select max(f.folded_at) from call_fold as f where f.folded_at <= clock_timestamp()), '-infinity'
    );
comment on view failing_folds is 'Why changes of calls wait that should have been added up: one row a reason; none while all is well.';

-- Has the changes that wait folded, unless somebody else is at it or this transaction's snapshot is an old one. Whoever
-- leaves them leaves them to the next: nobody waits for the lock, so nobody can wait for it in a circle.
-- A fold that fails takes nothing else along: neither the transaction that tried it, nor the changes of the other agencies,
-- each of which is then folded by itself. What failed is noted.
create function try_fold_call_changes() returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    agency uuid;
begin
    if current_setting('transaction_isolation') <> 'read committed'
        or not pg_try_advisory_xact_lock(hashtextextended('fold_call_changes', 0))
    then
        return false;
    end if;
    begin
        perform fold_call_changes(null, null, null);
        return true;
    exception
        when lock_not_available or deadlock_detected then
            return false;  -- somebody works on the rollups' tables; the next fold may be luckier
        when query_canceled then
            perform note_failed_fold(sqlerrm);
            return false;
        when others or assert_failure then
            null;
    end;
    for agency in select distinct c.agency_id from call_changes as c loop
        begin
            perform fold_call_changes(agency, null, null);
        exception
            when query_canceled then
                perform note_failed_fold(sqlerrm);
                return false;
            when others or assert_failure then
                perform note_failed_fold(format('of agency %s: %s', agency, sqlerrm));
        end;
    end loop;
    return false;
end
$$;

-- Whether the transaction that fires its deferred triggers is sure to end by that. One that is prepared (PREPARE TRANSACTION)
-- would keep the lock, and the rows that a fold changes, until somebody thinks of it; so would one that has set its
-- constraints immediate before. Only the client's words tell: a commit, a statement that is a transaction by itself, and none
-- when such a statement ends in the extended protocol. Where transactions can be prepared at all, whatever else is said
-- leaves the fold to others.
create function is_committing() returns boolean
language sql stable set search_path = pg_catalog as $$
    select current_setting('max_prepared_transactions') = '0'
        or q.query is null
        or q.query ~* '^[[:space:];]*(commit|end)\M'
        or q.query ~* '^[[:space:];]*(insert|update|delete|merge|copy|with)\M'
            and q.query !~* '\m(begin|start|prepare|constraints)\M' and statement_timestamp() = now()
    from (select current_query() collate "C" as query) as q
$$;

-- At commit, about once in 512 changes, and once however many a transaction has made. It waits for nobody long, and what
-- goes wrong even with noting what went wrong is no reason to refuse the commit either.
create function fold_at_commit() returns trigger
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '200ms' as $$
begin
    if current_setting('call_changes.folded_in', true) is distinct from pg_current_xact_id()::text and is_committing() then
        perform set_config('call_changes.folded_in', pg_current_xact_id()::text, true);
        begin
            perform try_fold_call_changes();
        exception when others or query_canceled or assert_failure then
            raise warning 'changes of calls could not be added up and wait: %', sqlerrm;
        end;
    end if;
    return null;
end
$$;

-- The scheduled job of 0008 repairs the findings as well, and each agency by itself: one that cannot be recounted is named,
-- and stops no other.
create or replace function recount_call_stats(days integer default 7, moment timestamptz default now())
returns setof cron_job_logs
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    job_name constant text := 'recount_call_stats';
    due constant timestamptz := date_bin('6 hours', moment, '2000-01-01 00:00+00');
    last_day constant date := call_day(moment);
    first_day constant date := last_day - (days - 1);
    began constant timestamptz := clock_timestamp();
    log_id uuid;
    checked bigint;
    repaired bigint := 0;
    one uuid;
    failures text[] := '{}';
begin
    if days < 1 then
        raise exception 'days must be 1 or more, not %', days;
    end if;
    lock table calls in access share mode;  -- first, as in repair_call_stats
    -- Whenever it is asked, so that no change waits for its fold much longer than a minute, however few there are.
    if exists (
        select from unfolded_transactions as t
        inner join call_changes as p on p.transaction_id between t.first and t.last
    ) then
        perform try_fold_call_changes();
    end if;
    perform merge_data_versions();
    if not pg_try_advisory_xact_lock(hashtextextended(job_name, 0)) then
        return;
    end if;
    -- A clock that was ahead and has been set right has done them before their time.
    update cron_job_logs as l set slot = null
    where l.job = job_name and l.status = 'completed'
        and l.slot > date_bin('6 hours', greatest(now(), moment) + interval '1 minute', '2000-01-01 00:00+00');
    if exists (select from cron_job_logs as l where l.job = job_name and l.slot = due and l.status = 'completed') then
        return;
    end if;
    select count(*) into checked from call_stats_folded as s where s.stat_date between first_day and last_day;
    for one in select agencies_counted(null) loop
        begin
            repaired := repaired + repair_call_stats(one, first_day, last_day);
        exception when others then
            failures := failures || format('agency %s: %s', one, sqlerrm);
        end;
    end loop;
    if failures = '{}' then
        insert into cron_job_logs (job, slot, started_at, finished_at, status, rows, rows_repaired)
        values (job_name, due, began, clock_timestamp(), 'completed', checked, repaired)
        returning id into log_id;
    else
        -- It is tried again with each tick, and noted once a slot.
        update cron_job_logs as l
        set
            finished_at = clock_timestamp(), rows = checked, rows_repaired = l.rows_repaired + repaired,
            error = array_to_string(failures[:10], '; ')
        where l.job = job_name and l.slot = due and l.status = 'failed'
        returning l.id into log_id;
        if log_id is null then
            insert into cron_job_logs (job, slot, started_at, finished_at, status, rows, rows_repaired, error)
            values (
                job_name, due, began, clock_timestamp(), 'failed', checked, repaired,
                array_to_string(failures[:10], '; ')
            )
            returning id into log_id;
        end if;
    end if;
    return query select * from cron_job_logs as l where l.id = log_id;
end
$$;

-- Nobody's to call: Supabase grants its API's roles every function.
do $$
declare
    name text;
    role_name text;
begin
    foreach name in array array[
        'note_failed_fold(text)', 'try_fold_call_changes()'
    ] loop
        execute format('revoke execute on function %s from public', name);
        for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
            execute format('revoke execute on function %s from %I', name, role_name);
        end loop;
    end loop;
end
$$;

-- migrate:down
-- Forward only.
