-- One row for each of the commonest texts, with the totals of all calls beside it; one row without a text if there is none.
with totals as (
    select
        bigint_sum(f.analyzed_calls) as calls_analyzed,
        :measures
    from call_stats_parts as f
    where :where
),

-- Spellings first: they are far fewer than rows. What no fold has added yet is found in its changes.
spelled as (
    select
        p.kind, p.text, (array_agg(p.text_key) filter (where p.text_key is not null))[1] as known_key,
        sum(p.count)::bigint as count, sum(p.handled)::bigint as handled
    from (
        select f.kind, f.text, f.text_key, f.count, f.handled from :findings as f where :listed and :where
        union all
        select f.kind, f.text, null, f.count, f.handled from pending_call_findings as f where :listed and :where
    ) as p
    group by p.kind, p.text
    having sum(p.count) <> 0
),

keyed as (
    select s.kind, s.text, coalesce(s.known_key, text_key(s.text)) as text_key, s.count, s.handled from spelled as s
),

-- The same words in another case are the same text; the commonest spelling is shown.
counted as (
    select
        k.kind,
        k.text,
        k.count,
        k.handled,
        row_number() over (
            partition by k.kind
            -- As shown, but for the cases of ASCII, which are the same in every locale.
            order by k.count desc, lower(k.text collate "C"), k.text collate "C"
        ) as place
    from (
        select
            s.kind,
            (array_agg(s.text order by s.count desc, s.text collate "C"))[1] as text,
            sum(s.count)::bigint as count,
            sum(s.handled)::bigint as handled
        from keyed as s
        group by s.kind, s.text_key
    ) as k
)

select t.*, c.kind::text as kind, c.text, c.count, c.handled
from totals as t
left join counted as c on c.place <= :limit
order by c.place
