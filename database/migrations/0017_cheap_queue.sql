-- migrate:up
-- Queueing costs the writer of calls little: one statement for all that arrive, ids in a row, nothing checked twice.

set local lock_timeout = '10s';
set local statement_timeout = '60s';

-- Ids in the order in which jobs are made, so that their index grows at one end. A random one would touch another page
-- for each job, and log it whole after a checkpoint.
create sequence enrichment_queue_ids;
alter table enrichment_queue alter column id set default lpad(to_hex(nextval('enrichment_queue_ids')), 32, '0')::uuid;

-- Jobs are made by the triggers below, of calls that are being written in the same transaction. To check the reference
-- took longer than to insert the job, and wrote the call's row again, to lock it. That a call takes its jobs along
-- is seen to when it goes.
-- squawk-ignore ban-drop-constraint
alter table enrichment_queue drop constraint enrichment_queue_call_id_fkey;

-- As before, for all calls that one statement inserts. None of them has a job yet.
create function queue_calls() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into enrichment_queue (agency_id, call_id, job_type)
    select
        c.agency_id, c.id,
        case when jsonb_array_length(c.transcript) > 0 then 'analysis' else 'transcript' end::enrichment_job_type
    from came as c
    where c.status = 'completed' and c.analysis_status = 'pending'
    on conflict (call_id, job_type) do nothing;
    return null;
end
$$;
drop trigger calls_queue_inserted on calls;
create trigger calls_queue_inserted after insert on calls
referencing new table as came
for each statement execute function queue_calls();

-- A restore of data brings jobs that its calls have made already.
create function skip_known_job() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
    if exists (select from enrichment_queue as q where q.call_id = new.call_id and q.job_type = new.job_type) then
        return null;
    end if;
    return new;
end
$$;
create trigger enrichment_queue_known before insert on enrichment_queue
for each row when (pg_trigger_depth() = 0)
execute function skip_known_job();

create function forget_jobs() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if tg_op = 'TRUNCATE' then
        delete from enrichment_queue;
    else
        delete from enrichment_queue where call_id in (select w.id from went as w);
    end if;
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
