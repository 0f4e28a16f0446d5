-- What the storm of statements draws from: rows and facts that follow from a salt, so that a seed tells all of them.
create schema drawn;

create function drawn.number(salt text, below integer) returns integer
language sql immutable as $$ select (abs(hashtext(salt)::bigint) % below)::integer $$;

-- Whose a row is shows in its id: the first two digits are its session's, or 00 for what all of them share.
create function drawn.id(owner text, salt text) returns uuid
language sql immutable as $$ select overlay(md5(salt) placing owner from 1 for 2)::uuid $$;

create function drawn.is_of(owner text, id uuid) returns boolean
language sql immutable as $$
    select id between rpad(owner, 32, '0')::uuid and rpad(owner, 32, 'f')::uuid
$$;

-- An agency of the session's own or a shared one, and what is in it, or nothing.
create function drawn.place(
    owner text, salt text, out agency_id uuid, out campaign_id uuid, out client_id uuid, out batch_id uuid
) language sql stable as $$
    select
        a.id,
        case when drawn.number(salt || 'c', 4) > 0 then (
            select c.id
            from campaigns as c
            where c.agency_id = a.id and (drawn.is_of(owner, c.id) or drawn.is_of('00', c.id))
            order by md5(c.id || salt) limit 1
        ) end,
        case when drawn.number(salt || 'l', 4) > 0 then (
            select c.id
            from clients as c
            where c.agency_id = a.id and (drawn.is_of(owner, c.id) or drawn.is_of('00', c.id))
            order by md5(c.id || salt) limit 1
        ) end,
        case when drawn.number(salt || 'b', 2) > 0 then (
            select b.id
            from call_batches as b
            where b.agency_id = a.id and drawn.is_of(owner, b.id)
            order by md5(b.id || salt) limit 1
        ) end
    from agencies as a
    where drawn.is_of(owner, a.id) or drawn.is_of('00', a.id)
    order by md5(a.id || salt) limit 1
$$;

create function drawn.findings(salt text) returns jsonb
language sql immutable as $$
    select coalesce(jsonb_agg(
        ('[{"text": "No time", "handled": true}, {"text": "no  TIME", "handled": false}, {"text": "Too dear"}, {},
        {"text": 1, "handled": "true"}, {"text": 1.0, "handled": true}, {"text": " "}, null, "No time"]'::jsonb)
        -> drawn.number(salt || n, 9)
    ), '[]')
    from generate_series(1, drawn.number(salt, 4)) as n
$$;

create function drawn.call(owner text, salt text) returns calls
language sql stable as $$
    select jsonb_populate_record(null::calls, to_jsonb(p) || jsonb_build_object(
        'id', drawn.id(owner, salt),
        'ultravox_call_id', drawn.id(owner, salt || 'u'),
        'direction', (array['inbound', 'outbound'])[1 + drawn.number(salt || 1, 2)],
        'source', 'webhook',
        'status', (array['completed', 'completed', 'failed', 'in_progress', 'initiated'])[1 + drawn.number(salt || 2, 5)],
        'started_at', m.moment,
        'joined_at', case when drawn.number(salt || 3, 3) > 0 then m.moment end,
        'duration_seconds', (array[null, 0, 59, 3600])[1 + drawn.number(salt || 4, 4)],
        'end_reason', (array[null, 'voicemail', 'busy', 'hangup'])[1 + drawn.number(salt || 5, 4)],
        'has_recording', false,
        'transcript_status', (array['pending', 'completed', 'skipped', 'failed'])[1 + drawn.number(salt || 6, 4)],
        'transcript', (array[null, '[]', '[{"role": "user", "text": "Hello"}]']::jsonb[])[1 + drawn.number(salt || 7, 3)],
        'analysis_status', (array['pending', 'processing', 'completed', 'completed', 'failed'])[1 + drawn.number(salt || 8, 5)],
        'disposition', (enum_range(null::call_disposition)::text[] || array[null::text])[1 + drawn.number(salt || 9, 10)],
        'sentiment', (array[null, 'positive', 'neutral', 'negative'])[1 + drawn.number(salt || 10, 4)],
        'talk_ratio', (array[null, 0.1, 0.33333, 1])[1 + drawn.number(salt || 11, 4)],
        'listen_ratio', (array[null, 0.1, 0.33333, 1])[1 + drawn.number(salt || 12, 4)],
        'script_adherence', (array[null, 0.1, 0.33333, 1])[1 + drawn.number(salt || 13, 4)],
        'interruptions', (array[null, 0, 3])[1 + drawn.number(salt || 14, 3)],
        'objections', drawn.findings(salt || 'o'),
        'buying_signals', drawn.findings(salt || 's'),
        'is_qualified_lead', drawn.number(salt || 15, 2) = 1,
        'issue_resolved', drawn.number(salt || 16, 2) = 1,
        'escalated', drawn.number(salt || 17, 2) = 1,
        'emails_sent', drawn.number(salt || 18, 3),
        'sms_sent', drawn.number(salt || 19, 3),
        'created_at', '2026-02-16 12:00Z',
        'updated_at', '2026-02-16 12:00Z'
    ))
    from drawn.place(owner, salt) as p
    cross join lateral (
        select
            (array['2026-01-30', '2026-01-31', '2026-02-01', '2026-02-16']::date[])[1 + drawn.number(salt || 20, 4)]
            + (array['00:00', '11:59:59.999999', '23:59:59.999999']::interval[])[1 + drawn.number(salt || 21, 3)] as moment
    ) as m
$$;

create function drawn.calls(owner text, salt text, number integer) returns setof calls
language sql stable as $$
    select c.* from generate_series(1, number) as n cross join lateral drawn.call(owner, salt || '.' || n) as c
$$;

-- All that an answer to this agency may show.
create function drawn.digest(agency uuid) returns text
language sql stable as $$
    select md5(string_agg(r.fact, ';' order by r.fact collate "C"))
    from (
        select row(
            c.started_at, c.campaign_id, c.client_id, c.status, c.direction, c.disposition, c.sentiment, c.analysis_status,
            c.duration_seconds, c.interruptions, c.emails_sent, c.sms_sent, c.joined_at is null, c.is_qualified_lead,
            c.issue_resolved, c.escalated, c.talk_ratio, c.listen_ratio, c.script_adherence, c.objections,
            c.buying_signals
        )::text
        from calls as c where c.agency_id = agency
        union all
        select c::text from clients as c where c.agency_id = agency
        union all
        select c::text from campaigns as c where c.agency_id = agency
        union all
        select u::text from users as u where u.agency_id = agency
        union all
        select b::text from call_batches as b where b.agency_id = agency
        union all
        select c::text
        from campaign_contacts as c inner join call_batches as b on b.id = c.batch_id
        where b.agency_id = agency
        union all
        select max(l.finished_at)::text
        from cron_job_logs as l where l.job = 'recount_call_stats' and l.status = 'completed'
    ) as r (fact)
$$;
