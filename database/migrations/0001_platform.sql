-- migrate:up
-- Who owns what: agencies, their users, clients, campaigns, and the batches that dial a campaign's contacts.
-- Plain SQL for PostgreSQL 15 and later: runs under dbmate, psql and `supabase db push` alike.

create type user_role as enum (
    'agency_owner', 'agency_admin', 'agency_member', 'client_admin', 'client_viewer', 'admin'
);
create type campaign_type as enum ('sdr', 'cs');
create type batch_status as enum (
    'pending', 'scheduled', 'processing', 'paused', 'completed', 'failed', 'cancelled'
);
create type contact_status as enum (
    'pending', 'queued', 'in_progress', 'completed', 'failed', 'skipped'
);

create table agencies (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    slug text not null unique,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- Times that PostgreSQL knows and others do not (infinity, years before Christ, a zero time read east of Greenwich) are
    -- refused wherever they could come in.
    constraint agencies_created_at_is_1970_to_2199
    check (created_at >= '1970-01-01 00:00+00' and created_at < '2200-01-01 00:00+00'),
    constraint agencies_updated_at_is_1970_to_2199
    check (updated_at >= '1970-01-01 00:00+00' and updated_at < '2200-01-01 00:00+00')
);

-- The composite keys below (agency_id, id) exist so that a reference can carry its agency:
-- a row of one agency can then never point at a row of another.
-- No table inherits from one of these: rows that were written into it would show, and none of the triggers would know. The
-- check names this very table, not whatever bears its name in somebody's search path. (0 is no table: logical replication
-- checks rows before they have one.)
create table clients (
    id uuid primary key default gen_random_uuid(),
    agency_id uuid not null references agencies on delete cascade,
    name text not null,
    constraint clients_has_no_children check (tableoid = 0 or tableoid = 'clients'::regclass),
    unique (agency_id, id)
);

create table users (
    id uuid primary key,
    agency_id uuid references agencies on delete cascade,
    role user_role not null,
    client_id uuid,
    email text,
    constraint users_has_no_children check (tableoid = 0 or tableoid = 'users'::regclass),
    foreign key (agency_id, client_id) references clients (agency_id, id) on delete set null (client_id)
);
comment on column users.id is 'The `sub` of the user''s access token (auth.users.id on Supabase).';

create table campaigns (
    id uuid primary key default gen_random_uuid(),
    agency_id uuid not null references agencies on delete cascade,
    client_id uuid,
    name text not null,
    type campaign_type,
    constraint campaigns_has_no_children check (tableoid = 0 or tableoid = 'campaigns'::regclass),
    unique (agency_id, id),
    foreign key (agency_id, client_id) references clients (agency_id, id) on delete set null (client_id)
);

create table call_batches (
    id uuid primary key default gen_random_uuid(),
    agency_id uuid not null references agencies on delete cascade,
    campaign_id uuid,
    status batch_status not null default 'pending',
    scheduled_for timestamptz,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    completed_at timestamptz,
    constraint call_batches_has_no_children check (tableoid = 0 or tableoid = 'call_batches'::regclass),
    constraint call_batches_scheduled_for_is_1970_to_2199
    check (scheduled_for >= '1970-01-01 00:00+00' and scheduled_for < '2200-01-01 00:00+00'),
    constraint call_batches_created_at_is_1970_to_2199
    check (created_at >= '1970-01-01 00:00+00' and created_at < '2200-01-01 00:00+00'),
    constraint call_batches_started_at_is_1970_to_2199
    check (started_at >= '1970-01-01 00:00+00' and started_at < '2200-01-01 00:00+00'),
    constraint call_batches_completed_at_is_1970_to_2199
    check (completed_at >= '1970-01-01 00:00+00' and completed_at < '2200-01-01 00:00+00'),
    unique (agency_id, id),
    foreign key (agency_id, campaign_id) references campaigns (agency_id, id) on delete set null (campaign_id)
);

create table campaign_contacts (
    id uuid primary key default gen_random_uuid(),
    batch_id uuid not null references call_batches on delete cascade,
    campaign_id uuid references campaigns on delete set null,
    phone_number text not null,
    status contact_status not null default 'pending',
    call_id uuid,
    attempts integer not null default 0,
    max_attempts integer not null default 3,
    constraint campaign_contacts_has_no_children check (tableoid = 0 or tableoid = 'campaign_contacts'::regclass)
);

create index users_agency on users (agency_id, client_id);
create index campaigns_agency_client on campaigns (agency_id, client_id);
create index call_batches_newest on call_batches (agency_id, created_at desc, id);
create index call_batches_campaign on call_batches (agency_id, campaign_id, created_at desc, id);
create index campaign_contacts_progress on campaign_contacts (batch_id, status);
create index campaign_contacts_campaign on campaign_contacts (campaign_id);

-- Live: counted from the contacts at each read. `security_invoker` keeps row security of the tables below it in
-- force for whoever reads the view.
create view v_call_batch_summary with (security_invoker = true) as
select
    b.id,
    b.agency_id,
    b.campaign_id,
    b.status,
    n.total_calls,
    n.completed_count,
    n.failed_count,
    n.pending_count,
    n.in_progress_count,
    round(100.0 * (n.completed_count + n.failed_count) / nullif(n.total_calls, 0))::integer as progress_pct,
    b.created_at,
    b.completed_at
from call_batches as b
left join lateral (
    select
        count(*)::integer as total_calls,
        (count(*) filter (where c.status = 'completed'))::integer as completed_count,
        (count(*) filter (where c.status in ('failed', 'skipped')))::integer as failed_count,
        (count(*) filter (where c.status in ('pending', 'queued')))::integer as pending_count,
        (count(*) filter (where c.status = 'in_progress'))::integer as in_progress_count
    from campaign_contacts as c
    where c.batch_id = b.id
) as n on true;
comment on view v_call_batch_summary is 'One row a batch, counted live from its contacts. progress_pct is null while a batch has none.';

create function touch_updated_at() returns trigger language plpgsql as $$
begin
    new.updated_at := now();
    return new;
end
$$;

create trigger agencies_touch before update on agencies
for each row execute function touch_updated_at();

-- migrate:down
-- Forward only.
