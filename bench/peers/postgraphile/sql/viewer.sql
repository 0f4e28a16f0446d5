-- The schema that PostGraphile serves: a viewer, with a function for each section over the rollup or the calls.
-- Everything hangs on the viewer, so that a dashboard is one statement.
drop schema if exists peer, peer_hidden cascade;
create schema peer;
create schema peer_hidden;

create type peer.period as enum ('TODAY', 'LAST_7_DAYS', 'LAST_30_DAYS', 'LAST_90_DAYS', 'CUSTOM');
create type peer.batch_status as enum (
    'PENDING', 'SCHEDULED', 'PROCESSING', 'PAUSED', 'COMPLETED', 'FAILED', 'CANCELLED'
);
create type peer.filters as (
    period peer.period, start_date date, end_date date, campaign_id uuid, client_id uuid
);

create view peer.viewer as
select id, agency_id, case when role::text like 'client%' then client_id end as client_id
from public.users
where agency_id is not null and (role::text not like 'client%' or client_id is not null);
comment on view peer.viewer is E'@primaryKey id\n@behavior -query:resource:single -query:resource:list -query:resource:connection -resource:insert -resource:update -resource:delete';

create function peer_hidden.first_day(filters peer.filters) returns date language sql stable as $$
    select case filters.period
        when 'CUSTOM' then filters.start_date
        when 'TODAY' then (now() at time zone 'UTC')::date
        when 'LAST_7_DAYS' then (now() at time zone 'UTC')::date - 6
        when 'LAST_30_DAYS' then (now() at time zone 'UTC')::date - 29
        else (now() at time zone 'UTC')::date - 89
    end
$$;

create function peer_hidden.last_day(filters peer.filters) returns date language sql stable as $$
    select case filters.period when 'CUSTOM' then filters.end_date else (now() at time zone 'UTC')::date end
$$;

create function peer_hidden.pct(part numeric, whole numeric) returns double precision language sql immutable as $$
    select round(100.0 * part / nullif(whole, 0), 1)::double precision
$$;

-- The rows of the rollup that a viewer's filters leave.
create function peer_hidden.days(v peer.viewer, filters peer.filters) returns setof public.call_stats_parts
language sql stable as $$
    select f.*
    from public.call_stats_parts as f
    where f.agency_id = v.agency_id
        and f.stat_date between peer_hidden.first_day(filters) and peer_hidden.last_day(filters)
        and (v.client_id is null or f.client_id = v.client_id)
        and (filters.client_id is null or f.client_id = filters.client_id)
        and (filters.campaign_id is null or f.campaign_id = filters.campaign_id)
$$;
