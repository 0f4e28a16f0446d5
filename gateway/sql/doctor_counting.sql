-- One row a function of `public`, and one a trigger on `calls` or the rollups' notes that fires.
select p.proname::text as name
from pg_proc as p
where p.pronamespace = to_regnamespace('public') and p.prokind = 'f'
union all
select t.tgname::text
from pg_trigger as t
where t.tgrelid in (
        to_regclass('public.calls'), to_regclass('public.call_stats_changes'), to_regclass('public.call_findings_changes')
    )
    and t.tgenabled in ('O', 'A') and not t.tgisinternal
