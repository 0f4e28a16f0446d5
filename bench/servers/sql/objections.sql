-- One row for the calls together (kind summary), then one for each of the commonest texts, from the calls themselves.
with found as (
    select analysis_status, objections, buying_signals
    from calls
    where
        agency_id = $1 and started_at >= $2::date::timestamp at time zone 'UTC'
        and started_at < ($3::date + 1)::timestamp at time zone 'UTC'
),

-- As they stand first: there are far fewer spellings than texts, and to tell which are the same takes long.
spelled as (
    select 'objection' as kind, o ->> 'text' as text, count(*) as count, count(*) filter (where o -> 'handled' = 'true') as handled
    from found
    cross join lateral jsonb_array_elements(objections) as o
    group by o ->> 'text'
    union all
    select 'signal', s ->> 'text', count(*), 0
    from found
    cross join lateral jsonb_array_elements(buying_signals) as s
    group by s ->> 'text'
),

trimmed as (
    select kind, btrim(regexp_replace(text, '\s+', ' ', 'g')) as text, sum(count)::bigint as count, sum(handled)::bigint as handled
    from spelled
    group by 1, 2
),

counted as (
    select
        kind,
        (array_agg(text order by count desc, text collate "C"))[1] as text,
        sum(count)::bigint as count,
        sum(handled)::bigint as handled,
        row_number() over (partition by kind order by sum(count) desc, lower(text) collate "C") as place
    from trimmed
    where text <> ''
    group by kind, lower(text)
),

summary as (
    select
        coalesce(sum(count) filter (where kind = 'objection'), 0)::bigint as objections_encountered,
        coalesce(sum(handled), 0)::bigint as total_objections_handled,
        coalesce(sum(count) filter (where kind = 'signal'), 0)::bigint as total_buying_signals
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
