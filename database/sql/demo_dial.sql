-- A call begins.
insert into calls (id, agency_id, client_id, campaign_id, ultravox_call_id, direction, status, started_at, created_at)
values ($1, $2, $3, $4, $5, $6, 'initiated', $7, $7)
