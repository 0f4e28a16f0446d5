-- migrate:up
-- Has anything of this agency changed? A version for each, raised in the transaction that changes what its reports show.

set local lock_timeout = '10s';
set local statement_timeout = '60s';

-- An agency's version is the sum of its rows, and a writer raises whichever of them nobody else holds. So no writer
-- ever waits for another, and every commit still changes the sum. Rows are never deleted, not even with their agency:
-- a version that began anew could be taken for an old one. The nil agency's version stands for what all of them show.
create table data_versions (
    agency_id uuid not null,
    place bigint generated always as identity,
    version bigint not null default 1,
    primary key (agency_id, place)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
comment on table data_versions is 'The version of an agency''s data is the sum over its rows.';
alter table data_versions enable row level security;

-- The table is tiny when a plan is made, and may be full of dead rows when it is used.
create function add_to_data_version(agency uuid, more bigint) returns void
language plpgsql set enable_seqscan = off as $$
begin
    update data_versions as v
    set version = v.version + more
    where v.agency_id = agency and v.place = (
        select f.place from data_versions as f where f.agency_id = agency order by f.place limit 1 for update skip locked
    );
    if not found then
        insert into data_versions (agency_id, version) values (agency, more);
    end if;
end
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
    perform add_to_data_version(agency, 1);
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

-- What concerns everybody: the log of the scheduled jobs, and a table that was emptied at one stroke.
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
            for each statement execute function raise_everybodys_version()',
            name
        );
    end loop;
end
$$;
create trigger cron_job_logs_version after insert or update or delete or truncate on cron_job_logs
for each statement execute function raise_everybodys_version();

-- Nobody's to call but the triggers': Supabase grants its API's roles every function.
revoke execute on function raise_data_version(uuid) from public;
revoke execute on function add_to_data_version(uuid, bigint) from public;
do $$
declare
    role_name text;
begin
    for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
        execute format('revoke execute on function raise_data_version(uuid) from %I', role_name);
        execute format('revoke execute on function add_to_data_version(uuid, bigint) from %I', role_name);
    end loop;
end
$$;

-- migrate:down
-- Forward only.
