-- One row: whether row security hides rows of what the reports read from this role, which would look like no calls at all.
select bool_or(row_security_active(t.name) and not exists (select from pg_policies as p where p.tablename = t.name)) as hidden
from unnest(array[
    'users', 'calls', 'call_stats_folded', 'agency_hours_folded', 'call_findings_folded', 'agency_findings_folded',
    'call_changes', 'call_fold', 'call_batches', 'campaign_contacts', 'campaigns'
]) as t (name)
