-- One row for the calls together (kind summary), then one for each of the commonest objections and buying signals.
with summary as (
    select
        (
            select count(*)
            from calls as f
            where f.agency_id = $1 and f.analysis_status = 'completed'
                and f.started_at >= $2::date::timestamp at time zone 'UTC'
                and f.started_at < ($3::date + 1)::timestamp at time zone 'UTC' :narrowed
        ) as analyzed,
        coalesce(sum(n.objections_encountered), 0) as objections,
        coalesce(sum(n.total_objections_handled), 0) as handled,
        coalesce(sum(n.total_buying_signals), 0) as signals
    from calls as f
    cross join lateral call_counts(f) as n
    where f.agency_id = $1 and (f.objections <> '[]' or f.buying_signals <> '[]')
        and f.started_at >= $2::date::timestamp at time zone 'UTC'
        and f.started_at < ($3::date + 1)::timestamp at time zone 'UTC' :narrowed
),

found as (
    select t.kind, t.text, t.handled
    from calls as f
    cross join lateral (
        select 'objection' as kind, o.value ->> 'text' as text, o.value -> 'handled' = 'true' as handled
        from jsonb_array_elements(f.objections) as o
        union all
        select 'signal', s.value ->> 'text', false
        from jsonb_array_elements(f.buying_signals) as s
    ) as t
    where f.agency_id = $1 and (f.objections <> '[]' or f.buying_signals <> '[]')
        and f.started_at >= $2::date::timestamp at time zone 'UTC'
        and f.started_at < ($3::date + 1)::timestamp at time zone 'UTC' :narrowed
),

counted as (
    select
        f.kind,
        mode() within group (order by t.spelling collate "C") as text,
        count(*) as count,
        count(*) filter (where f.handled) as handled,
        row_number() over (partition by f.kind order by count(*) desc, lower(t.spelling) collate "C") as place
    from found as f
    cross join lateral (select btrim(regexp_replace(f.text, '\s+', ' ', 'g')) as spelling) as t
    where t.spelling <> ''
    group by f.kind, lower(t.spelling)
)

select
    'summary' as kind, null as text, s.objections as count, s.handled,
    round(100.0 * s.handled / nullif(s.objections, 0), 1) as "handlingRate", null as percentage,
    s.analyzed, s.signals, 0 as place
from summary as s
union all
select
    c.kind, c.text, c.count, c.handled, round(100.0 * c.handled / c.count, 1),
    round(100.0 * c.count / case c.kind when 'objection' then s.objections else s.signals end, 1),
    null, null, c.place
from counted as c
cross join summary as s
where c.place <= $4
order by place
