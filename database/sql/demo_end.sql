-- A call ends, as the platform records it.
update calls
set
    status = $2, ended_at = $3, duration_seconds = $4, end_reason = $5, has_recording = $6,
    transcript = $7::text::jsonb, emails_sent = $8, sms_sent = $9
where id = $1
