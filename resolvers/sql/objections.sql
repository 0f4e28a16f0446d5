-- One row for the calls together (kind summary), then one for each of the commonest objections and buying signals.
with summary as (
    select
        -- Of all calls. The measures are zero for calls without findings, and those with any have their own index.
        (select count(*) from calls as f where f.analysis_status = 'completed' and :where) as calls_analyzed,
        :measures
    from calls as f
    cross join lateral call_counts(f) as n
    where (f.objections <> '[]' or f.buying_signals <> '[]') and :where
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
