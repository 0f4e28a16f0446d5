-- One row a counter of an agency's day in which a rollup is not what the calls add up to: $1 first, $2 last UTC day.
-- `off_by` adds up how far each of the day's rows (a campaign's and client's, or a text's), or their hours, are off.
select
    coalesce(a.name, d.agency_id::text) collate "C" as agency, d.stat_date, d.counter,
    count(*) as rows, sum(d.off_by) as off_by
from (
    select r.agency_id, r.stat_date, r.prefix || e.key as counter, o.off_by
    from (
        select s.agency_id, s.stat_date, '' as prefix, to_jsonb(s) as counters from call_stats_drift(null, $1, $2) as s
        union all
        select h.agency_id, h.stat_date, 'agency_', to_jsonb(h) from agency_hours_drift(null, $1, $2) as h
    ) as r
    cross join lateral jsonb_each(r.counters - array['agency_id', 'stat_date', 'campaign_id', 'client_id']) as e
    cross join lateral (
        select sum(abs(v.value::numeric)) as off_by
        from jsonb_array_elements_text(
            case when jsonb_typeof(e.value) = 'array' then e.value else jsonb_build_array(e.value) end
        ) as v
    ) as o
    union all
    select
        f.agency_id, f.stat_date,
        case when f.of_agency_only then 'agency_' else '' end || f.kind || '_texts' || e.handled, abs(e.off_by)
    from call_findings_drift(null, $1, $2) as f
    cross join lateral (values ('', f.count), ('_handled', f.handled)) as e (handled, off_by)
) as d
left join agencies as a on a.id = d.agency_id
where d.off_by <> 0
group by 1, 2, 3
order by 2, 1, 3
