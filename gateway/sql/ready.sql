-- One row: whether what the reports read cannot be found, and why, or is hidden from this role by row security, which
-- would look like no calls at all.
select
    bool_or(to_regclass(t.name) is null) as missing,
    not 'public' = any(current_schemas(false)) as elsewhere,
    bool_or(
        row_security_active(to_regclass(t.name)::oid) and not exists (select from pg_policies as p where p.tablename = t.name)
    ) as hidden
from unnest(array[
    'users', 'calls', 'call_stats_folded', 'agency_hours_folded', 'call_findings_folded', 'agency_findings_folded',
    'call_changes', 'call_fold', 'call_batches', 'campaign_contacts', 'campaigns'
]) as t (name)
