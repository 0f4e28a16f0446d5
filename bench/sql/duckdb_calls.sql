-- One row a call of the agency, with what DuckDB's copy holds of it.
select
    started_at at time zone 'UTC' as started_at,
    campaign_id,
    client_id,
    joined_at is not null and coalesce(disposition not in ('voicemail', 'no_answer'), true) as connected,
    disposition,
    analysis_status = 'completed' as analysed,
    objections,
    buying_signals
from calls
where agency_id = $1
