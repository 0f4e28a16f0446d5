-- One row for the calls together (kind summary), then one for each of the commonest objections and buying signals.
with summary as (
    select
        count(*) filter (where f.analysis_status = 'completed') as calls_analyzed,
        :measures
    from calls as f
    cross join lateral call_counts(f) as n
    where :where
),

found as (
    select 'objection' as kind, o.value ->> 'text' as text, o.value -> 'handled' = 'true' as handled
    from calls as f
    cross join lateral jsonb_array_elements(f.objections) as o
    where (f.objections <> '[]' or f.buying_signals <> '[]') and :where
    union all
    select 'signal', s.value ->> 'text', false
    from calls as f
    cross join lateral jsonb_array_elements(f.buying_signals) as s
    where (f.objections <> '[]' or f.buying_signals <> '[]') and :where
),

-- The same words in another case or spacing are the same text; the commonest spelling is shown.
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

select 'summary' as kind, null as text, null as count, null as handled, null as place, summary.*
from summary
union all
select c.kind, c.text, c.count, c.handled, c.place, summary.*
from counted as c
cross join summary
where c.place <= :limit
order by place nulls first
