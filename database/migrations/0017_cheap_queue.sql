-- migrate:up
-- Queueing costs the writer of calls little: one statement for all that arrive, ids in a row, nothing checked twice.

set local lock_timeout = '10s';
set local statement_timeout = '60s';

-- Ids in the order in which jobs are made, so that their index grows at one end. A random one would touch another page
-- for each job, and log it whole after a checkpoint. Each ends at random, because a restore sets the sequence back, or brings
-- jobs that another database has numbered.
create sequence enrichment_queue_ids;
alter table enrichment_queue alter column id
set default (lpad(to_hex(nextval('enrichment_queue_ids')), 20, '0') || right(gen_random_uuid()::text, 12))::uuid;

-- Jobs are made by the triggers below, of calls that are being written in the same transaction. To check the reference
-- took longer than to insert the job, and wrote the call's row again, to lock it. That a call takes its jobs along
-- is seen to when it goes.
-- squawk-ignore ban-drop-constraint
alter table enrichment_queue drop constraint enrichment_queue_call_id_fkey;

create function wanted_job(transcript jsonb) returns enrichment_job_type
language sql immutable parallel safe as $$
    select case when jsonb_array_length(transcript) > 0 then 'analysis' else 'transcript' end::enrichment_job_type
$$;

-- A job that is open stays as it is. One that was set aside begins anew, and one of another agency goes where its call went.
create or replace function open_job(agency uuid, call uuid, wanted enrichment_job_type) returns void
language sql set search_path = public, pg_temp as $$
    insert into enrichment_queue as q (agency_id, call_id, job_type) values (agency, call, wanted)
    on conflict (call_id, job_type) do update
    set agency_id = excluded.agency_id, status = 'queued', attempts = 0, run_after = now(), updated_at = now()
    where q.status = 'failed' or q.agency_id <> excluded.agency_id
$$;

-- As before, for all calls that one statement inserts. None has a job yet, unless another call had its id.
create function queue_calls() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    arrived record;
begin
    if current_setting('transaction_isolation') = 'read committed' then
        insert into enrichment_queue as q (agency_id, call_id, job_type)
        select c.agency_id, c.id, wanted_job(c.transcript)
        from came as c
        where c.status = 'completed' and c.analysis_status = 'pending'
        on conflict (call_id, job_type) do update
        set agency_id = excluded.agency_id, status = 'queued', attempts = 0, run_after = now(), updated_at = now()
        where q.status = 'failed' or q.agency_id <> excluded.agency_id;
        return null;
    end if;
    for arrived in
        select c.agency_id, c.id, wanted_job(c.transcript) as wanted
        from came as c
        where c.status = 'completed' and c.analysis_status = 'pending'
    loop
        begin
            perform open_job(arrived.agency_id, arrived.id, arrived.wanted);
        exception when serialization_failure then
            null;  -- touched since this snapshot was taken, so open: as in queue_call
        end;
    end loop;
    return null;
end
$$;
drop trigger calls_queue_inserted on calls;
create trigger calls_queue_inserted after insert on calls
referencing new table as came
for each statement execute function queue_calls();

-- A call takes its jobs along. What a worker has touched since this snapshot was taken cannot be deleted in it, which is no
-- reason to refuse the call: workers drop the jobs that are left without one.
create function forget_jobs() returns trigger
language plpgsql security definer set search_path = public, pg_temp set enable_seqscan = off as $$
begin
    if tg_op = 'TRUNCATE' then
        delete from enrichment_queue;
    else
        delete from enrichment_queue as q
        where q.call_id in (select w.id from went as w)
            -- The statement may have brought it back. Asked of each job, as a value: `not exists` is a join, and the plan
            -- that a session makes for its first deletion, and keeps, may then read all calls.
            and (select true from calls as c where c.id = q.call_id) is null;
    end if;
    return null;
exception when serialization_failure then
    return null;
end
$$;
create trigger calls_queue_deleted after delete on calls
referencing old table as went
for each statement execute function forget_jobs();
create trigger calls_queue_truncated after truncate on calls
for each statement execute function forget_jobs();

-- As before, but that an analysis is left as it is shows before the function is entered.
drop trigger calls_settle_updated on calls;
create trigger calls_settle_updated
before update of status, joined_at, end_reason, transcript, transcript_status, analysis_status on calls
for each row when (
    new.status in ('completed', 'failed') and (
        new.analysis_status = 'pending'
        or new.analysis_status = old.analysis_status and new.analyzed_at is not distinct from old.analyzed_at
    )
)
execute function settle_call();

-- migrate:down
-- Forward only.
