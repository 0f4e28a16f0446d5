-- One fact more in each report: a call of today with an objection, and a contact of the newest batch that was reached.
with call as (
    insert into calls (
        agency_id, campaign_id, status, started_at, joined_at, duration_seconds, analysis_status, disposition, objections
    )
    values (
        $1, $2, 'completed', now(), now(), 60, 'completed', 'conversation',
        '[{"text": "the price is too high", "handled": true, "quote": "Too much."}]'
    )
)

insert into campaign_contacts (batch_id, campaign_id, phone_number, status) values ($3, $2, '+15550000000', 'completed')
