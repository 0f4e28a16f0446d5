-- The agency's calls from a CSV file, by time, their findings unpacked once, in DuckDB's SQL.
create table calls as
select
    started_at,
    campaign_id,
    client_id,
    connected,
    disposition,
    analysed,
    from_json(objections, '[{"text": "VARCHAR", "handled": "BOOLEAN"}]') as objections,
    from_json(buying_signals, '[{"text": "VARCHAR"}]') as buying_signals
from read_csv(
    $file,
    header = true,
    columns = {
        'started_at': 'TIMESTAMP', 'campaign_id': 'UUID', 'client_id': 'UUID', 'connected': 'BOOLEAN',
        'disposition': 'VARCHAR', 'analysed': 'BOOLEAN', 'objections': 'JSON', 'buying_signals': 'JSON'
    }
)
order by started_at
