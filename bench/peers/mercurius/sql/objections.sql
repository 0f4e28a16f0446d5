-- One row for the calls together (kind summary), then one for each of the commonest objections and buying signals.
-- Counted as they are spelled first: spellings are far fewer than findings, and dear to compare.
with found as (
    select f.objections, f.buying_signals
    from calls as f
    where f.agency_id = $1 and (f.objections <> '[]' or f.buying_signals <> '[]')
        and f.started_at >= $2::date::timestamp at time zone 'UTC'
        and f.started_at < ($3::date + 1)::timestamp at time zone 'UTC' :narrowed
),

spelled as (
    select
        'objection' as kind, o.value ->> 'text' as text, count(*) as count,
        count(*) filter (where o.value -> 'handled' = 'true') as handled
    from found
    cross join lateral jsonb_array_elements(found.objections) as o
    group by 2
    union all
    select 'signal', s.value ->> 'text', count(*), 0
    from found
    cross join lateral jsonb_array_elements(found.buying_signals) as s
    group by 2
),

summary as (
    select
        (
            select count(*)
            from calls as f
            where f.agency_id = $1 and f.analysis_status = 'completed'
                and f.started_at >= $2::date::timestamp at time zone 'UTC'
                and f.started_at < ($3::date + 1)::timestamp at time zone 'UTC' :narrowed
        ) as analyzed,
        coalesce(sum(s.count) filter (where s.kind = 'objection'), 0) as objections,
        coalesce(sum(s.handled), 0) as handled,
        coalesce(sum(s.count) filter (where s.kind = 'signal'), 0) as signals
    from spelled as s
),

spaced as (
    select t.kind, btrim(regexp_replace(t.text, '\s+', ' ', 'g')) as text, sum(t.count) as count, sum(t.handled) as handled
    from spelled as t
    group by 1, 2
),

counted as (
    select
        t.kind,
        (array_agg(t.text order by t.count desc, t.text collate "C"))[1] as text,
        sum(t.count) as count,
        sum(t.handled) as handled,
        row_number() over (partition by t.kind order by sum(t.count) desc, lower(t.text) collate "C") as place
    from spaced as t
    where t.text <> ''
    group by t.kind, lower(t.text)
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
