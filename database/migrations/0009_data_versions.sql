-- migrate:up
-- Has anything of this agency changed? A version for each, another one after each transaction that changes what its reports
-- show.

set local lock_timeout = '10s';
set local statement_timeout = '60s';

-- An agency's version is the sum of its rows (modulo 2^62), and a change adds a random number to one of them. A number that
-- counted would come again: after a restore, or a failover to a standby that lacks the last commits, another state of
-- the data would bear the version of one that was shown. Of random sums each names one state, in whatever history.
-- A writer adds to a row that nobody else holds, so no writer ever waits for another.
create table data_versions (
    agency_id uuid not null,
    place uuid not null default gen_random_uuid(),
    version bigint not null,
    primary key (agency_id, place)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
comment on table data_versions is 'The version of an agency''s data is the sum over its rows.';
alter table data_versions enable row level security;

-- Not random(), which whoever calls setseed() has say the same again. Odd, so that no number of times it is nothing.
create function random_step() returns bigint
language sql volatile parallel safe as $$ select uuid_hash_extended(gen_random_uuid(), 0) & 4611686018427387903 | 1 $$;

-- The table is tiny when a plan is made, and may be full of dead rows when it is used. A snapshot that is kept for the
-- whole transaction may be older than the row, which then could not be changed: there a row is added, and the schedule
-- (0015) puts rows together.
create function add_to_data_version(agency uuid, step bigint) returns void
language plpgsql set enable_seqscan = off as $$
begin
    if current_setting('transaction_isolation') = 'read committed' then
        update data_versions as v
        set version = (v.version + step) & 4611686018427387903
        where v.agency_id = agency and v.place = (
            select f.place from data_versions as f where f.agency_id = agency order by f.place limit 1
            for update skip locked
        );
        if found then
            return;
        end if;
    end if;
    insert into data_versions (agency_id, version) values (agency, step);
end
$$;

create function merge_data_versions() returns void
language sql set search_path = public, pg_temp as $$
    with many as (
        select agency_id from data_versions group by agency_id having count(*) > 16
    ),
    gone as (
        delete from data_versions as d
        using (
            select v.agency_id, v.place
            from data_versions as v
            where v.agency_id in (select m.agency_id from many as m)
            for update skip locked
        ) as free
        where d.agency_id = free.agency_id and d.place = free.place
        returning d.agency_id, d.version
    )
    insert into data_versions (agency_id, version)
    select agency_id, (sum(version) % 4611686018427387904)::bigint from gone group by agency_id
$$;

-- Once a transaction is enough. Gives what it has raised, which is remembered where a savepoint that is rolled back
-- forgets it too.
create function raise_data_version(agency uuid) returns text
language plpgsql as $$
declare
    raised constant text := coalesce(current_setting('data_versions.raised', true), '');
begin
    if position(agency::text in raised) > 0 then
        return raised;
    end if;
    perform add_to_data_version(agency, random_step());
    return set_config('data_versions.raised', raised || agency, true);
end
$$;

-- For tables with an agency of their own; a row that moves raises both. A call needs no trigger:
-- the log of what was changed in calls (0011) is counted with these rows.
create function raise_versions_of_inserted() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform raise_data_version(t.agency_id)
    from (select distinct c.agency_id from came as c where c.agency_id is not null) as t;
    return null;
end
$$;

create function raise_versions_of_deleted() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform raise_data_version(t.agency_id)
    from (select distinct w.agency_id from went as w where w.agency_id is not null) as t;
    return null;
end
$$;

create function raise_versions_of_updated() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform raise_data_version(t.agency_id)
    from (select c.agency_id from came as c union select w.agency_id from went as w) as t
    where t.agency_id is not null;
    return null;
end
$$;

-- A contact's agency is its batch's. Of a batch that goes with its contacts, its own row tells.
create function raise_versions_of_contacts() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if tg_op <> 'DELETE' then
        perform raise_data_version(t.agency_id)
        from (
            select distinct b.agency_id from call_batches as b where b.id in (select c.batch_id from came as c)
        ) as t;
    end if;
    if tg_op <> 'INSERT' then
        perform raise_data_version(t.agency_id)
        from (
            select distinct b.agency_id from call_batches as b where b.id in (select w.batch_id from went as w)
        ) as t;
    end if;
    return null;
end
$$;

-- A batch that moves takes its contacts along: whoever changes one of them at the same moment, and so raises the version of
-- the agency that the batch was of, waits for the move, or the move for them.
create function move_contacts() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update campaign_contacts set batch_id = batch_id where batch_id = new.id;
    return null;
end
$$;
create trigger call_batches_move_contacts after update of agency_id on call_batches
for each row when (old.agency_id is distinct from new.agency_id)
execute function move_contacts();

-- As the above, row by row: for what comes by logical replication, whose apply worker fires no trigger of statements,
-- and for loads with session_replication_role = replica.
create function raise_versions_of_row() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if tg_table_name = 'campaign_contacts' then
        if tg_op <> 'DELETE' then
            perform raise_data_version(b.agency_id) from call_batches as b where b.id = new.batch_id;
        end if;
        if tg_op <> 'INSERT' then
            perform raise_data_version(b.agency_id) from call_batches as b where b.id = old.batch_id;
        end if;
        return null;
    end if;
    if tg_op <> 'DELETE' and new.agency_id is not null then
        perform raise_data_version(new.agency_id);
    end if;
    if tg_op <> 'INSERT' and old.agency_id is not null then
        perform raise_data_version(old.agency_id);
    end if;
    return null;
end
$$;

-- What concerns everybody: the log of the scheduled jobs, and a table that was emptied at one stroke. The nil agency's
-- version stands for it.
create function raise_everybodys_version() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform raise_data_version('00000000-0000-0000-0000-000000000000');
    return null;
end
$$;

do $$
declare
    name text;
begin
    foreach name in array array['users', 'clients', 'campaigns', 'call_batches', 'campaign_contacts'] loop
        execute format(
            'create trigger %1$s_version_inserted after insert on %1$I referencing new table as came
            for each statement execute function %2$I()',
            name, case name when 'campaign_contacts' then 'raise_versions_of_contacts' else 'raise_versions_of_inserted' end
        );
        execute format(
            'create trigger %1$s_version_deleted after delete on %1$I referencing old table as went
            for each statement execute function %2$I()',
            name, case name when 'campaign_contacts' then 'raise_versions_of_contacts' else 'raise_versions_of_deleted' end
        );
        execute format(
            'create trigger %1$s_version_updated after update on %1$I referencing old table as went new table as came
            for each statement execute function %2$I()',
            name, case name when 'campaign_contacts' then 'raise_versions_of_contacts' else 'raise_versions_of_updated' end
        );
        execute format(
            'create trigger %1$s_version_truncated after truncate on %1$I
            for each statement execute function raise_everybodys_version();
            alter table %1$I enable always trigger %1$s_version_truncated',
            name
        );
        -- In an ordinary session it never fires, even where a restore (pg_restore --disable-triggers) has enabled it for one.
        execute format(
            'create trigger %1$s_version_of_row after insert or update or delete on %1$I
            for each row when (current_setting(''session_replication_role'') = ''replica'')
            execute function raise_versions_of_row();
            alter table %1$I enable replica trigger %1$s_version_of_row',
            name
        );
    end loop;
    -- It never fires. A trigger of rows that has a transition table keeps its table from becoming a partition or a child of
    -- another, through which rows could be written that no trigger of statements would see.
    foreach name in array array['users', 'clients', 'campaigns', 'call_batches', 'campaign_contacts', 'calls'] loop
        execute format(
            'create trigger %1$s_has_no_parent after delete on %1$I referencing old table as went
            for each row when (false) execute function raise_versions_of_deleted()',
            name
        );
    end loop;
end
$$;
-- Only what freshness shows. A job that fails is tried again and again, and noted.
create trigger cron_job_logs_version after insert or update on cron_job_logs
for each row when (new.job = 'recount_call_stats' and new.status = 'completed')
execute function raise_everybodys_version();
create trigger cron_job_logs_version_forgotten after delete or truncate on cron_job_logs
for each statement execute function raise_everybodys_version();

-- Nobody's to call but the triggers': Supabase grants its API's roles every function.
revoke execute on function raise_data_version(uuid) from public;
revoke execute on function add_to_data_version(uuid, bigint) from public;
revoke execute on function merge_data_versions() from public;
revoke execute on function open_job(uuid, uuid, enrichment_job_type) from public;
do $$
declare
    role_name text;
begin
    for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
        execute format('revoke execute on function raise_data_version(uuid) from %I', role_name);
        execute format('revoke execute on function add_to_data_version(uuid, bigint) from %I', role_name);
        execute format('revoke execute on function merge_data_versions() from %I', role_name);
        execute format('revoke execute on function open_job(uuid, uuid, enrichment_job_type) from %I', role_name);
    end loop;
end
$$;

-- migrate:down
-- Forward only.
