-- One row for the calls together (kind summary), then one for each of the ten commonest texts, in DuckDB's SQL.
with found as (
    select disposition, analysed, objections, buying_signals
    from calls
    where started_at >= $first_day and started_at < $end :where
),

spelled as (
    select 'objection' as kind, o.text as text, count(*) as count, count(*) filter (where o.handled) as handled
    from (select unnest(objections) as o from found)
    group by 2
    union all
    select 'signal', s.text, count(*), 0
    from (select unnest(buying_signals) as s from found)
    group by 2
),

counted as (
    select
        kind,
        arg_max(text, count) as text,
        sum(count) as count,
        sum(handled) as handled,
        row_number() over (partition by kind order by sum(count) desc, lower(text)) as place
    from (
        select kind, trim(regexp_replace(text, '\s+', ' ', 'g')) as text, sum(count) as count, sum(handled) as handled
        from spelled
        group by 1, 2
    )
    where text <> ''
    group by kind, lower(text)
)

select 'summary' as kind, null as text, null as count, null as handled, count(*) filter (where analysed) as place
from found
union all
select kind, text, count, handled, place from counted where place <= 10
order by kind, place
