-- migrate:up
-- On Supabase every table of `public` is reachable through its REST API. Without a policy, row security shuts that
-- door: only the owner and roles with BYPASSRLS (postgres, service_role) see rows. The gateway connects as one of them.

alter table agencies enable row level security;
alter table users enable row level security;
alter table clients enable row level security;
alter table campaigns enable row level security;
alter table call_batches enable row level security;
alter table campaign_contacts enable row level security;
alter table calls enable row level security;
alter table call_stats_daily enable row level security;
alter table call_stats_changes enable row level security;
alter table enrichment_queue enable row level security;
alter table cron_job_logs enable row level security;

-- The repair writes with its owner's rights, so nobody else may call it; Supabase grants its API's roles every function.
revoke execute on function repair_call_stats(uuid, date, date) from public;
do $$
declare
    role_name text;
begin
    for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
        execute format('revoke execute on function repair_call_stats(uuid, date, date) from %I', role_name);
    end loop;
end
$$;

-- migrate:down
-- Forward only.
