-- migrate:up
-- The writing side's own tables: one queue with two job types, and a log of the scheduled jobs.

create type enrichment_job_type as enum ('transcript', 'analysis');
create type enrichment_job_status as enum ('queued', 'running', 'completed', 'failed');

create table enrichment_queue (
    id uuid primary key default gen_random_uuid(),
    agency_id uuid not null references agencies on delete cascade,
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
    finished_at timestamptz
);
comment on table enrichment_queue is 'One row a job; at most one open (queued or running) job of a type for a call.';

create unique index enrichment_queue_open on enrichment_queue (call_id, job_type)
where status in ('queued', 'running');
create index enrichment_queue_agency on enrichment_queue (agency_id);

create table cron_job_logs (
    id uuid primary key default gen_random_uuid(),
    job text not null,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    status text not null default 'running' check (status in ('running', 'completed', 'failed')),
    rows bigint,
    error text,
    constraint cron_job_logs_started_at_is_1970_to_2199
    check (started_at >= '1970-01-01 00:00+00' and started_at < '2200-01-01 00:00+00'),
    constraint cron_job_logs_finished_at_is_1970_to_2199
    check (finished_at >= '1970-01-01 00:00+00' and finished_at < '2200-01-01 00:00+00')
);
create index cron_job_logs_newest on cron_job_logs (job, started_at desc);

-- migrate:down
-- Forward only.
