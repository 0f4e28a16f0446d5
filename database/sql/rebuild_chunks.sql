-- One row a chunk: an agency and those days of one month that are asked for, if it has calls or counts. Oldest day first.
with recursive asked as (
    select a as agency_id, coalesce($2::date, '1970-01-01') as first_day, coalesce($3::date, '2199-12-31') as last_day
    from agencies_counted($1) as a
),

-- From one month that has calls to the next, each by a look into the index.
of_calls as (
    select q.agency_id, q.first_day, q.last_day, (
        select date_trunc('month', c.started_at at time zone 'UTC')
        from calls as c
        where c.agency_id = q.agency_id and c.started_at >= q.first_day::timestamp at time zone 'UTC'
        order by c.started_at
        limit 1
    ) as month
    from asked as q
    union all
    select m.agency_id, m.first_day, m.last_day, (
        select date_trunc('month', c.started_at at time zone 'UTC')
        from calls as c
        where c.agency_id = m.agency_id and c.started_at >= (m.month + interval '1 month') at time zone 'UTC'
        order by c.started_at
        limit 1
    )
    from of_calls as m
    where m.month <= m.last_day
)

select
    m.agency_id,
    greatest(m.month::date, m.first_day) as from_day,
    least((m.month + interval '1 month' - interval '1 day')::date, m.last_day) as to_day
from (
    select agency_id, first_day, last_day, month from of_calls where month <= last_day
    union
    -- One agency after the other: joined behind these, all rows of all agencies would be read for one of them.
    select q.agency_id, q.first_day, q.last_day, date_trunc('month', r.stat_date::timestamp)
    from asked as q
    cross join lateral (
        select s.stat_date
        from call_stats_folded as s
        where s.agency_id = q.agency_id and s.stat_date between q.first_day and q.last_day
        union all
        select s.stat_date
        from agency_hours_folded as s
        where s.agency_id = q.agency_id and s.stat_date between q.first_day and q.last_day
        union all
        select s.stat_date
        from call_findings_folded as s
        where s.agency_id = q.agency_id and s.stat_date between q.first_day and q.last_day
        union all
        select s.stat_date
        from agency_findings_folded as s
        where s.agency_id = q.agency_id and s.stat_date between q.first_day and q.last_day
    ) as r
) as m
order by from_day, m.agency_id
