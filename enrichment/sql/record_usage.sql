-- Writes what requests to models have used: $1 as JSON. Each has an id, so that it counts once though this be run twice.
insert into analysis_usage (id, agency_id, call_id, model, input_tokens, output_tokens, cost_usd)
select u.id, u.agency_id, u.call_id, u.model, u.input_tokens, u.output_tokens, u.cost_usd
from jsonb_to_recordset($1::jsonb) as u (
    id uuid, agency_id uuid, call_id uuid, model text, input_tokens bigint, output_tokens bigint, cost_usd numeric
)
inner join agencies as a on a.id = u.agency_id
on conflict (id) do nothing
