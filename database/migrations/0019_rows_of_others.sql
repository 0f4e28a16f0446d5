-- migrate:up
-- What a restore brings that is there already, and what another server's worker has written, is passed over.

set local lock_timeout = '10s';
set local statement_timeout = '60s';

-- A restore of data makes some rows before it brings them: calls queue themselves and raise versions, and a worker may have
-- recounted. One row too many would refuse all of its table.
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
alter table enrichment_queue enable always trigger enrichment_queue_known;

create function skip_known_version() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
    if exists (select from data_versions as v where v.agency_id = new.agency_id and v.place = new.place) then
        return null;
    end if;
    return new;
end
$$;
create trigger data_versions_known before insert on data_versions
for each row when (pg_trigger_depth() = 0)
execute function skip_known_version();
alter table data_versions enable always trigger data_versions_known;

create function skip_known_run() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
    if exists (select from cron_job_logs as l where l.id = new.id) or new.status = 'completed' and exists (
        select from cron_job_logs as l where l.job = new.job and l.slot = new.slot and l.status = 'completed'
    ) then
        return null;
    end if;
    return new;
end
$$;
create trigger cron_job_logs_known before insert on cron_job_logs
for each row when (pg_trigger_depth() = 0)
execute function skip_known_run();
alter table cron_job_logs enable always trigger cron_job_logs_known;

-- What is to be done for calls, and whether they were recounted, each server's worker says for itself. Only a client has a
-- query: this is for what a subscription brings, and not for a restore with session_replication_role = replica.
create trigger enrichment_queue_is_no_replica before insert or update or delete on enrichment_queue
for each row when (pg_trigger_depth() = 0 and current_query() is null)
execute function skip_row();
alter table enrichment_queue enable replica trigger enrichment_queue_is_no_replica;
create trigger cron_job_logs_is_no_replica before insert or update or delete on cron_job_logs
for each row when (pg_trigger_depth() = 0 and current_query() is null)
execute function skip_row();
alter table cron_job_logs enable replica trigger cron_job_logs_is_no_replica;

-- migrate:down
-- Forward only.
