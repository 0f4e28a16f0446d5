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

-- As long as changes wait. What has failed since the last fold is a reason, and so is that there was none for minutes: nobody may
-- have tried, or somebody holds what a fold wants, which is noted nowhere. When a change was committed nobody knows, so its age
-- is that of its transaction: after one that took minutes this may be told until the next fold. The oldest change of each
-- range is found by its index, whatever else waits.
create view failing_folds with (security_invoker = true) as
with waiting as (
    select min(o.changed_at) as since
    from unfolded_transactions as t
    cross join lateral (
        select p.changed_at
        from call_changes as p
        where p.transaction_id between t.first and t.last
        order by p.transaction_id, p.id
        limit 1
    ) as o
),

last_fold as (
    -- What is of the future was written by a clock that was ahead and has been set right.
    select coalesce(max(f.done_at), '-infinity') as done_at
    from call_fold as f
    where f.done_at <= clock_timestamp()
),

failed as (
    select l.finished_at as failed_at, l.error
    from cron_job_logs as l
    cross join last_fold as f
    cross join waiting as w
    where l.job = 'fold_call_changes' and l.status = 'failed' and l.finished_at > f.done_at
        and l.finished_at <= clock_timestamp() and w.since is not null
)

select failed_at, error from failed
union all
select
    now(),
    format(
        'those of %s (UTC) still wait and no fold has ended since: see whether a worker runs, and whether a session that is '
        'idle in a transaction holds a rollup',
        to_char(w.since at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
    )
from waiting as w
cross join last_fold as f
where w.since is not null and greatest(w.since, f.done_at) < now() - interval '5 minutes' and not exists (select from failed);
comment on view failing_folds is 'Why changes of calls wait that should have been added up: one row a reason; none while all is well.';

-- Has the changes that wait folded, unless somebody else is at it or this transaction's snapshot is an old one. Whoever
-- leaves them leaves them to the next: nobody waits for the lock, so nobody can wait for it in a circle, nor long for
-- anything else.
-- A fold that fails takes nothing else along: neither the transaction that tried it, nor the changes of the other agencies,
-- each of which is then folded by itself. What failed is noted. Somebody who works on the rollups is no failure: the next fold
-- may be luckier.
create function try_fold_call_changes() returns boolean
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '200ms' as $$
declare
    agency uuid;
    was_held boolean := false;
begin
    if current_setting('transaction_isolation') <> 'read committed'
        or not pg_try_advisory_xact_lock(hashtextextended('fold_call_changes', 0))
    then
        return false;
    end if;
    begin
        perform fold_call_changes(null, null, null);
        return true;
    exception when others or assert_failure then
        null;
    end;
    for agency in select c.agency_id from call_changes as c group by c.agency_id order by random() loop
        begin
            perform fold_call_changes(agency, null, null);
        exception
            when lock_not_available or deadlock_detected then
                exit when was_held;  -- tables, then, or the rows of who knows how many: each would be waited for
                was_held := true;
            when others or assert_failure then
                perform note_failed_fold(format('of agency %s: %s', agency, sqlerrm));
        end;
    end loop;
    return false;
end
$$;

-- Whether the transaction that fires its deferred triggers ends by that. One that goes on, as it has set its constraints
-- immediate, or that is prepared (PREPARE TRANSACTION), would keep the lock, and the rows that a fold changes, until somebody
-- thinks of it. Only the client's words tell: a commit, a statement that is a transaction by itself, a procedure that
-- commits, and none when a statement ends in the extended protocol. Where transactions can be prepared, whatever may be
-- more than that leaves the fold to others. An apply worker has no words either, and prepares what its publisher does where
-- its subscription says so.
create function is_committing() returns boolean
language plpgsql stable set search_path = pg_catalog as $$
declare
    longest constant integer := 1000000;
    query constant text collate "C" := left(current_query(), longest);
    beginning constant text := '(^|;)([[:space:]]|/\*.*\*/|--[^\n]*\n)*';
begin
    if query is null then
        return current_setting('session_replication_role') <> 'replica' or not exists (
            select from pg_stat_subscription as w
            inner join pg_subscription as s on s.oid = w.subid
            where w.pid = pg_backend_pid() and s.subtwophasestate <> 'd'
        );
    end if;
    if current_setting('max_prepared_transactions') = '0' then
        return statement_timestamp() = now() or query ~* (beginning || '(commit|call)\M')
            -- Blocks of programs end by that word too.
            or (query ~* (beginning || 'end\M') and query !~* '\mbegin\M');
    end if;
    return (statement_timestamp() = now() or query ~* (beginning || '(commit|end)\M'))
        and query !~* '\m(begin|start|prepare|constraints)\M' and char_length(query) < longest;
end
$$;

-- At commit, about once in 512 changes, and once however many a transaction has made. It waits for nobody long, and what
-- goes wrong even with noting what went wrong is no reason to refuse the commit either. Only here is a cancel none: what
-- was to be cancelled is done but for its commit.
create function fold_at_commit() returns trigger
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '200ms' as $$
begin
    if current_setting('call_changes.folded_in', true) is distinct from pg_current_xact_id()::text and is_committing() then
        perform set_config('call_changes.folded_in', pg_current_xact_id()::text, true);
        begin
            perform try_fold_call_changes();
        exception
            when query_canceled then
                begin
                    perform note_failed_fold(sqlerrm);
                exception when others or query_canceled or assert_failure then
                    null;  -- it has warned before
                end;
            when others or assert_failure then
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
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '1min' as $$
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
    was_held boolean := false;
    failures text[] := '{}';
begin
    if days < 1 then
        raise exception 'days must be 1 or more, not %', days;
    end if;
    lock table calls in access share mode;  -- first, as in repair_call_stats
    -- While it waits from here on nobody else can fold.
    perform set_config('lock_timeout', '5s', true);
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
    update cron_job_logs as l
    set
        slot = null, started_at = least(l.started_at, clock_timestamp()),
        finished_at = least(l.finished_at, clock_timestamp())
    where l.job = job_name and l.status = 'completed' and (
        l.slot > date_bin('6 hours', greatest(now(), moment) + interval '1 minute', '2000-01-01 00:00+00')
        or l.finished_at > clock_timestamp() + interval '1 minute'
    );
    if exists (select from cron_job_logs as l where l.job = job_name and l.slot = due and l.status = 'completed') then
        return;
    end if;
    begin
        perform pg_advisory_xact_lock(hashtextextended('fold_call_changes', 0));
    exception when lock_not_available then
        return;  -- a rebuild is at it, which is no failure: the next tick may be luckier
    end;
    select count(*) into checked from call_stats_folded as s where s.stat_date between first_day and last_day;
    for one in select a from agencies_counted(null) as a order by random() loop
        begin
            repaired := repaired + repair_call_stats(one, first_day, last_day);
        exception
            when lock_not_available or deadlock_detected then
                failures := failures || format('agency %s: %s', one, sqlerrm);
                exit when was_held;  -- as in try_fold_call_changes
                was_held := true;
            when others then
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
