-- migrate:up
-- The raw facts: one row a phone call, as recorded by the platform and then understood by the analysis.

create type call_direction as enum ('inbound', 'outbound');
create type call_source as enum ('webhook', 'historical_sync');
create type call_status as enum ('initiated', 'in_progress', 'completed', 'failed');
create type enrichment_status as enum ('pending', 'processing', 'completed', 'failed', 'skipped');
create type call_disposition as enum (
    'voicemail', 'callback_requested', 'not_interested', 'wrong_number', 'dnc_requested',
    'gatekeeper_blocked', 'no_answer', 'conversation', 'appointment_booked'
);
create type call_sentiment as enum ('positive', 'neutral', 'negative');

create table calls (
    id uuid primary key default gen_random_uuid(),
    agency_id uuid not null references agencies on delete cascade,
    client_id uuid,
    campaign_id uuid,
    batch_id uuid,
    ultravox_call_id text,
    direction call_direction not null default 'outbound',
    source call_source not null default 'webhook',
    status call_status not null default 'initiated',
    started_at timestamptz not null default now(),
    joined_at timestamptz,
    ended_at timestamptz,
    duration_seconds integer check (duration_seconds >= 0),
    end_reason text,
    has_recording boolean not null default false,
    transcript_status enrichment_status not null default 'pending',
    transcript jsonb check (jsonb_typeof(transcript) = 'array'),
    analysis_status enrichment_status not null default 'pending',
    analyzed_at timestamptz,
    disposition call_disposition,
    sentiment call_sentiment,
    talk_ratio numeric check (talk_ratio between 0 and 1 and scale(talk_ratio) <= 100),
    listen_ratio numeric check (listen_ratio between 0 and 1 and scale(listen_ratio) <= 100),
    script_adherence numeric check (script_adherence between 0 and 1 and scale(script_adherence) <= 100),
    interruptions integer check (interruptions >= 0),
    objections jsonb not null default '[]' check (jsonb_typeof(objections) = 'array'),
    buying_signals jsonb not null default '[]' check (jsonb_typeof(buying_signals) = 'array'),
    is_qualified_lead boolean not null default false,
    issue_resolved boolean not null default false,
    escalated boolean not null default false,
    emails_sent integer not null default 0 check (emails_sent >= 0),
    sms_sent integer not null default 0 check (sms_sent >= 0),
    summary text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint calls_has_no_children check (tableoid = 0 or tableoid = 'calls'::regclass),
    constraint calls_started_at_is_1970_to_2199
    check (started_at >= '1970-01-01 00:00+00' and started_at < '2200-01-01 00:00+00'),
    constraint calls_joined_at_is_1970_to_2199
    check (joined_at >= '1970-01-01 00:00+00' and joined_at < '2200-01-01 00:00+00'),
    constraint calls_ended_at_is_1970_to_2199
    check (ended_at >= '1970-01-01 00:00+00' and ended_at < '2200-01-01 00:00+00'),
    constraint calls_analyzed_at_is_1970_to_2199
    check (analyzed_at >= '1970-01-01 00:00+00' and analyzed_at < '2200-01-01 00:00+00'),
    constraint calls_created_at_is_1970_to_2199
    check (created_at >= '1970-01-01 00:00+00' and created_at < '2200-01-01 00:00+00'),
    constraint calls_updated_at_is_1970_to_2199
    check (updated_at >= '1970-01-01 00:00+00' and updated_at < '2200-01-01 00:00+00'),
    -- What one call says can be read and counted at once, with those of everybody else. A value that comes from another table
    -- may be compressed, and is not when a dump brings it again: `||` measures it as it is.
    constraint calls_objections_are_at_most_1000
    check (jsonb_typeof(objections) <> 'array' or jsonb_array_length(objections) <= 1000),
    constraint calls_objections_take_at_most_1_mb check (pg_column_size(objections || '[]') <= 1048576),
    constraint calls_buying_signals_are_at_most_1000
    check (jsonb_typeof(buying_signals) <> 'array' or jsonb_array_length(buying_signals) <= 1000),
    constraint calls_buying_signals_take_at_most_1_mb check (pg_column_size(buying_signals || '[]') <= 1048576),
    unique (agency_id, ultravox_call_id),
    foreign key (agency_id, client_id) references clients (agency_id, id) on delete set null (client_id),
    foreign key (agency_id, campaign_id) references campaigns (agency_id, id) on delete set null (campaign_id),
    foreign key (agency_id, batch_id) references call_batches (agency_id, id) on delete set null (batch_id)
);
comment on column calls.transcript is 'Array of {"role": "agent"|"user", "text", "start_ms", "end_ms"}.';
comment on column calls.objections is 'Array of {"text", "handled", "quote"}.';
comment on column calls.buying_signals is 'Array of {"text", "quote"}.';

create trigger calls_touch before update on calls
for each row execute function touch_updated_at();

-- Heatmap, and how many calls were analysed: everything they read lies in one index for each way to filter. The last
-- two are the foreign keys' own look-ups as well.
create index calls_by_time on calls (agency_id, started_at)
include (joined_at, disposition, analysis_status);
create index calls_by_campaign on calls (agency_id, campaign_id, started_at)
include (joined_at, disposition, analysis_status, client_id) where campaign_id is not null;
create index calls_by_client on calls (agency_id, client_id, started_at)
include (joined_at, disposition, analysis_status, campaign_id) where client_id is not null;
-- Objections: only the calls that have something to unnest.
create index calls_with_findings on calls (agency_id, started_at, campaign_id, client_id)
where objections <> '[]' or buying_signals <> '[]';
create index calls_by_batch on calls (agency_id, batch_id) where batch_id is not null;

alter table campaign_contacts
add foreign key (call_id) references calls on delete set null;
create index campaign_contacts_call on campaign_contacts (call_id) where call_id is not null;

-- Freshly inserted calls soon become visible to index-only scans.
alter table calls set (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.05);

-- migrate:down
-- Forward only.
