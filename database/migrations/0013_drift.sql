-- migrate:up
-- In what the hours and the findings differ from the calls. (Of the daily rollup that is shown by 0016.)

set local lock_timeout = '10s';
set local statement_timeout = '60s';

-- The agencies that are asked for: this one, or (null) all that there are and those that only a damaged rollup knows, each
-- of which is found by a look into the index.
create function agencies_counted(agency uuid) returns setof uuid
language plpgsql stable set search_path = public, pg_temp as $$
declare
    name text;
    last uuid;
    gone uuid[] := '{}';
begin
    if agency is not null then
        return next agency;
        return;
    end if;
    return query select a.id from agencies as a;
    foreach name in array array[
        'call_stats_folded', 'agency_hours_folded', 'call_findings_folded', 'agency_findings_folded'
    ] loop
        last := null;
        loop
            execute format(
                'select f.agency_id from %I as f where $1 is null or f.agency_id > $1 order by f.agency_id limit 1', name
            ) into last using last;
            exit when last is null;
            if last <> all (gone) and not exists (select from agencies as a where a.id = last) then
                gone := gone || last;
            end if;
        end loop;
    end loop;
    return query select unnest(gone);
end
$$;

-- One row for each day of an agency whose hours are not what the calls add up to, as call_stats_drift (0016).
-- An agency is asked for by equality, here and in all that is like it: `agency is null or agency_id = agency` is planned for
-- both, and reads the calls of everybody.
create function agency_hours_drift_of(agency uuid, from_day date, to_day date) returns table (
    agency_id uuid, stat_date date,
    total_calls_by_hour integer[], connected_calls_by_hour integer[], meetings_booked_by_hour integer[]
) language sql stable set search_path = public, pg_temp as $$
    select d.*
    from (
        select
            agency_id, stat_date, sum_hours(total_calls_by_hour) as total_calls_by_hour,
            sum_hours(connected_calls_by_hour) as connected_calls_by_hour,
            sum_hours(meetings_booked_by_hour) as meetings_booked_by_hour
        from (
            select
                r.agency_id, call_day(r.started_at) as stat_date,
                sum_by_hour(call_hour(r.started_at), r.total_calls) as total_calls_by_hour,
                sum_by_hour(call_hour(r.started_at), r.connected_calls) as connected_calls_by_hour,
                sum_by_hour(call_hour(r.started_at), r.meetings_booked) as meetings_booked_by_hour
            from (
                select c.agency_id, c.started_at, n.total_calls, n.connected_calls, n.meetings_booked
                from calls as c
                cross join lateral call_counts(c) as n
                union all
                select p.agency_id, p.started_at, -p.total_calls, -p.connected_calls, -p.meetings_booked
                from pending_call_counts as p
            ) as r
            where r.agency_id = agency
                and r.started_at >= from_day::timestamp at time zone 'UTC'
                and r.started_at < (to_day + 1)::timestamp at time zone 'UTC'
            group by r.agency_id, call_day(r.started_at)
            union all
            select
                s.agency_id, s.stat_date,
                array(select -h from unnest(s.total_calls_by_hour) as h),
                array(select -h from unnest(s.connected_calls_by_hour) as h),
                array(select -h from unnest(s.meetings_booked_by_hour) as h)
            from agency_hours_folded as s
            where s.agency_id = agency and s.stat_date between from_day and to_day
        ) as sides
        group by agency_id, stat_date
    ) as d
    where 0 <> any (d.total_calls_by_hour || d.connected_calls_by_hour || d.meetings_booked_by_hour)
$$;
create function agency_hours_drift(agency uuid, from_day date, to_day date) returns table (
    agency_id uuid, stat_date date,
    total_calls_by_hour integer[], connected_calls_by_hour integer[], meetings_booked_by_hour integer[]
) language sql stable set search_path = public, pg_temp set enable_seqscan = on as $$
    select d.* from agencies_counted(agency) as a cross join lateral agency_hours_drift_of(a, from_day, to_day) as d
$$;

-- One row for each row of the two tables of findings that is not what the calls add up to, as call_stats_drift (0016).
create function call_findings_drift_of(agency uuid, from_day date, to_day date) returns table (
    of_agency_only boolean, agency_id uuid, stat_date date, campaign_id uuid, client_id uuid, kind finding_kind, text text,
    count numeric, handled numeric
) language sql stable set search_path = public, pg_temp as $$
    with raw as (
        select
            c.agency_id, call_day(c.started_at) as stat_date, c.campaign_id, c.client_id, f.kind, f.text,
            count(*) as count, sum(f.handled) as handled
        from calls as c
        cross join lateral call_findings(c) as f
        where c.agency_id = agency
            and c.started_at >= from_day::timestamp at time zone 'UTC'
            and c.started_at < (to_day + 1)::timestamp at time zone 'UTC'
        group by 1, 2, 3, 4, 5, 6
        union all
        select p.agency_id, p.stat_date, p.campaign_id, p.client_id, p.kind, p.text, -p.count, -p.handled
        from pending_call_findings as p
        where p.agency_id = agency and p.stat_date between from_day and to_day
    )
    select
        of_agency_only, agency_id, stat_date, campaign_id, client_id, kind, text, sum(count), sum(handled)
    from (
        select false as of_agency_only, r.* from raw as r
        union all
        select true, r.agency_id, r.stat_date, null, null, r.kind, r.text, r.count, r.handled from raw as r
        union all
        select false, d.agency_id, d.stat_date, d.campaign_id, d.client_id, d.kind, d.text, -d.count, -d.handled
        from call_findings_folded as d
        where d.agency_id = agency and d.stat_date between from_day and to_day
        union all
        select true, d.agency_id, d.stat_date, null, null, d.kind, d.text, -d.count, -d.handled
        from agency_findings_folded as d
        where d.agency_id = agency and d.stat_date between from_day and to_day
    ) as sides
    group by of_agency_only, agency_id, stat_date, campaign_id, client_id, kind, text
    having sum(count) <> 0 or sum(handled) <> 0
$$;
create function call_findings_drift(agency uuid, from_day date, to_day date) returns table (
    of_agency_only boolean, agency_id uuid, stat_date date, campaign_id uuid, client_id uuid, kind finding_kind, text text,
    count numeric, handled numeric
) language sql stable set search_path = public, pg_temp set enable_seqscan = on as $$
    select d.* from agencies_counted(agency) as a cross join lateral call_findings_drift_of(a, from_day, to_day) as d
$$;

-- migrate:down
-- Forward only.
