-- One row a chunk: an agency and those days of one month that have, or may have, calls or counts. Oldest day first.
select
    f.agency_id,
    greatest(month, f.first_day)::date as from_day,
    least(month + interval '1 month' - interval '1 day', f.last_day)::date as to_day
from (
    select
        b.agency_id,
        greatest(min(b.first_day), $2) as first_day,
        least(max(b.last_day), $3) as last_day
    from (
        select a.id as agency_id, call_day(c.first_at) as first_day, call_day(c.last_at) as last_day
        from agencies as a
        cross join lateral (
            select min(started_at) as first_at, max(started_at) as last_at from calls where agency_id = a.id
        ) as c
        where c.first_at is not null
        union all
        select agency_id, min(stat_date), max(stat_date) from call_stats_folded group by agency_id
        union all
        select agency_id, min(stat_date), max(stat_date) from agency_hours_folded group by agency_id
        union all
        select agency_id, min(stat_date), max(stat_date) from call_findings_folded group by agency_id
        union all
        select agency_id, min(stat_date), max(stat_date) from agency_findings_folded group by agency_id
    ) as b
    where $1::uuid is null or b.agency_id = $1
    group by b.agency_id
) as f
cross join lateral generate_series(
    date_trunc('month', f.first_day::timestamp), f.last_day::timestamp, interval '1 month'
) as month
order by from_day, f.agency_id
