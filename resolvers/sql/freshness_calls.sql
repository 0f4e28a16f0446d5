-- One row: how many of the range's calls wait for their analysis, and how far that of the connected ones has got.
select w.waiting_calls, c.connected_calls, c.analyzed_connected_calls
from (
    select
        coalesce(sum(n.connected_calls), 0)::bigint as connected_calls,
        coalesce(sum(n.connected_calls) filter (where f.analysis_status = 'completed'), 0)::bigint
            as analyzed_connected_calls
    from calls as f
    cross join lateral call_counts(f) as n
    where :where
) as c
cross join (
    select count(*) as waiting_calls
    from calls as f
    where f.status = 'completed' and f.analysis_status in ('pending', 'processing') and :where
) as w
