-- migrate:up
-- Whoever asks is shown their agency's name: a new one is a change of the agency's data.

set local lock_timeout = '10s';
set local statement_timeout = '60s';

create function raise_version_of_agency() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform raise_data_version(new.id);
    return null;
end
$$;
create trigger agencies_version after update on agencies
for each row when (old.name is distinct from new.name)
execute function raise_version_of_agency();
-- Also for what comes by logical replication.
alter table agencies enable always trigger agencies_version;

-- migrate:down
-- Forward only.
