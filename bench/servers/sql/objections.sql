-- One row for the calls together (kind summary), then one for each of the commonest texts, from the calls themselves.
with found as (
    select id, analysis_status, objections, buying_signals
    from calls
    where
        agency_id = $1 and started_at >= $2::date::timestamp at time zone 'UTC'
        and started_at < ($3::date + 1)::timestamp at time zone 'UTC'
),

spelled as (
    select
        'objection' as kind, btrim(regexp_replace(o ->> 'text', '\s+', ' ', 'g')) as text,
        o -> 'handled' = 'true' as handled
    from found
    cross join lateral jsonb_array_elements(objections) as o
    union all
    select 'signal', btrim(regexp_replace(s ->> 'text', '\s+', ' ', 'g')), false
    from found
    cross join lateral jsonb_array_elements(buying_signals) as s
),

counted as (
    select
        kind,
        mode() within group (order by text collate "C") as text,
        count(*) as count,
        count(*) filter (where handled) as handled,
        row_number() over (partition by kind order by count(*) desc, lower(text) collate "C") as place
    from spelled
    where text <> ''
    group by kind, lower(text)
),

summary as (
    select
        count(*) filter (where kind = 'objection') as objections_encountered,
        count(*) filter (where kind = 'objection' and handled) as total_objections_handled,
        count(*) filter (where kind = 'signal') as total_buying_signals
    from spelled
)

select 'summary' as kind, null as text, null as count, null as handled, null as place, n.calls_analyzed, summary.*
from summary
cross join (select count(*) filter (where analysis_status = 'completed') as calls_analyzed from found) as n
union all
select kind, text, count, handled, place, null, null, null, null
from counted
where place <= $4
order by place nulls first
