-- One row: how many rows of each rollup are not what the calls of the last 7 days (UTC) add up to.
with days as (
    select (now() at time zone 'UTC')::date - 6 as first_day, (now() at time zone 'UTC')::date as last_day
)

select
    (select count(*) from days, call_stats_drift(null, first_day, last_day)) as call_stats_folded,
    (select count(*) from days, agency_hours_drift(null, first_day, last_day)) as agency_hours_folded,
    count(*) filter (where not f.of_agency_only) as call_findings_folded,
    count(*) filter (where f.of_agency_only) as agency_findings_folded
from days
cross join lateral call_findings_drift(null, first_day, last_day) as f
