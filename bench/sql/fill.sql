-- A session's function that fills one agency with calls that are all settled, and gives nothing. The same name and
-- numbers give the same rows: nothing here is drawn, everything is hashed from the call's number and the agency's name.

-- One number from 0 to 1 for each call and question.
create or replace function pg_temp.share(number bigint, question integer) returns double precision
language sql immutable as $$ select (hashint8extended(number, question) & 1048575) / 1048576.0 $$;

create or replace function pg_temp.id(name text, kind text, number bigint) returns uuid
language sql immutable as $$ select md5(name || kind || number)::uuid $$;

-- 36 objections and 24 buying signals, the first of each far more often than the last; some in other letters or spaces.
create or replace function pg_temp.words(kind text, number bigint, question integer) returns text
language sql immutable as $$
    select case
        when pg_temp.share(number, question + 1) < 0.05 then upper(said.text)
        when pg_temp.share(number, question + 1) < 0.08 then '  ' || replace(said.text, ' ', '  ')
        else said.text
    end
    from (
        select a.words[1 + floor(array_length(a.words, 1) * pg_temp.share(number, question) ^ 2)::integer]
            || ' ' || b.words[1 + floor(array_length(b.words, 1) * pg_temp.share(number, question + 2))::integer] as text
        from (
            select
                case kind
                    when 'objection' then array[
                        'the price is too high', 'there is no budget', 'we are under contract', 'it is a bad time',
                        'somebody else decides', 'we do it ourselves'
                    ]
                    else array[
                        'asked what it costs', 'asked how soon it runs', 'named a decision maker',
                        'compared it with a rival'
                    ]
                end as words
        ) as a
        cross join (
            select array[
                'for a team this size', 'until next quarter', 'for all our sites', 'in this market', 'as things stand',
                'without a trial'
            ] as words
        ) as b
    ) as said
$$;

create or replace function pg_temp.fill(
    name text, calls integer, days integer, clients integer, campaigns integer, batches integer, today date
) returns void language plpgsql as $$
declare
    agency constant uuid := pg_temp.id(name, 'agency', 0);
    seed constant bigint := hashtext(name)::bigint << 32;
begin
    insert into agencies (id, name, slug) values (agency, name, name);
    insert into users (id, agency_id, role) values (pg_temp.id(name, 'user', 0), agency, 'agency_owner');
    insert into clients (id, agency_id, name)
    select pg_temp.id(name, 'client', n), agency, 'Client ' || n from generate_series(1, clients) as n;
    insert into campaigns (id, agency_id, client_id, name, type)
    select
        pg_temp.id(name, 'campaign', n), agency, pg_temp.id(name, 'client', 1 + n % clients), 'Campaign ' || n, 'sdr'
    from generate_series(1, campaigns) as n;
    insert into call_batches (id, agency_id, campaign_id, status, created_at, started_at)
    select
        pg_temp.id(name, 'batch', n), agency, pg_temp.id(name, 'campaign', 1 + n % campaigns),
        case when n > batches - 3 then 'processing' else 'completed' end::batch_status,
        today::timestamp at time zone 'UTC' - n * interval '31 hours', today::timestamp at time zone 'UTC' - n * interval '30 hours'
    from generate_series(1, batches) as n;
    insert into campaign_contacts (batch_id, campaign_id, phone_number, status)
    select
        pg_temp.id(name, 'batch', b), pg_temp.id(name, 'campaign', 1 + b % campaigns), '+1555' || lpad(n::text, 7, '0'),
        case
            when b > batches - 3 and n > 50 then 'pending'
            when n % 9 = 0 then 'failed'
            else 'completed'
        end::contact_status
    from generate_series(1, batches) as b
    cross join generate_series(1, 100) as n;

    insert into calls (
        id, agency_id, client_id, campaign_id, batch_id, ultravox_call_id, direction, source, status, started_at, joined_at,
        ended_at, duration_seconds, end_reason, has_recording, transcript_status, transcript, analysis_status, analyzed_at,
        disposition, sentiment, talk_ratio, listen_ratio, script_adherence, interruptions, objections, buying_signals,
        is_qualified_lead, issue_resolved, escalated, emails_sent, sms_sent, summary
    )
    select
        pg_temp.id(name, 'call', n), agency, pg_temp.id(name, 'client', 1 + c.campaign % clients),
        pg_temp.id(name, 'campaign', c.campaign), pg_temp.id(name, 'batch', 1 + n % batches), 'uv-' || n,
        case when pg_temp.share(k, 1) < 0.1 then 'inbound' else 'outbound' end::call_direction, 'webhook',
        c.status, c.started_at, case when c.joined then c.started_at + interval '8 seconds' end,
        c.started_at + c.seconds * interval '1 second', c.seconds, case when c.joined then 'hangup' else 'unjoined' end,
        c.joined, case when c.joined then 'completed' else 'skipped' end::enrichment_status,
        case when c.joined then jsonb_build_array(
            jsonb_build_object('role', 'agent', 'text', 'Good morning, this is about ' || d.said, 'start_ms', 0, 'end_ms', 4000),
            jsonb_build_object('role', 'user', 'text', 'Well, ' || d.said, 'start_ms', 4200, 'end_ms', 9000)
        ) end,
        case when c.joined then 'completed' else 'skipped' end::enrichment_status,
        case when c.joined then c.started_at + interval '10 minutes' end, c.disposition,
        case when c.joined then (array['positive', 'neutral', 'neutral', 'negative'])[1 + floor(4 * pg_temp.share(k, 2))::integer] end::call_sentiment,
        case when c.joined then d.talk end, case when c.joined then 1 - d.talk end,
        case when c.joined then round((0.5 + pg_temp.share(k, 4) / 2)::numeric, 3) end,
        case when c.joined then floor(4 * pg_temp.share(k, 5))::integer end,
        case when c.conversation and pg_temp.share(k, 6) < 0.35 then d.objections else '[]' end,
        case when c.conversation and pg_temp.share(k, 7) < 0.3 then d.signals else '[]' end,
        c.conversation and pg_temp.share(k, 8) < 0.3, c.conversation and pg_temp.share(k, 9) < 0.2, pg_temp.share(k, 10) < 0.02,
        case when c.conversation then floor(2 * pg_temp.share(k, 11))::integer else 0 end,
        case when c.joined then floor(2 * pg_temp.share(k, 12))::integer else 0 end,
        case when c.joined then 'They talked about ' || d.said end
    from (
        select n, seed + n as k from generate_series(1, calls) as n
    ) as numbers
    cross join lateral (
        select
            s.*,
            s.joined and s.disposition in ('conversation', 'appointment_booked', 'callback_requested', 'not_interested') as conversation
        from (
            select
                1 + floor(campaigns * pg_temp.share(k, 20) ^ 1.5)::integer as campaign,
                case when pg_temp.share(k, 21) < 0.05 then 'failed' else 'completed' end::call_status as status,
                -- Working hours above all, and the same number every day: a range of days is a share of the calls.
                (today - (n % days)::integer)::timestamp at time zone 'UTC' + case
                    when pg_temp.share(k, 22) < 0.9 then interval '8 hours' + pg_temp.share(k, 23) * interval '10 hours'
                    else pg_temp.share(k, 23) * interval '24 hours'
                end as started_at,
                floor(20 + 400 * pg_temp.share(k, 24) ^ 2)::integer as seconds,
                pg_temp.share(k, 21) between 0.05 and 0.45 as joined,
                case
                    when pg_temp.share(k, 21) < 0.05 then null
                    when pg_temp.share(k, 21) > 0.45 then case when pg_temp.share(k, 25) < 0.7 then 'no_answer' else 'voicemail' end
                    else (array[
                        'conversation', 'conversation', 'conversation', 'conversation', 'not_interested', 'not_interested',
                        'callback_requested', 'appointment_booked', 'voicemail', 'gatekeeper_blocked', 'wrong_number',
                        'dnc_requested'
                    ])[1 + floor(12 * pg_temp.share(k, 25))::integer]
                end::call_disposition as disposition
        ) as s
    ) as c
    cross join lateral (
        select
            pg_temp.words('objection', k, 30) as said,
            round((0.3 + pg_temp.share(k, 3) * 0.4)::numeric, 3) as talk,
            (
                select jsonb_agg(jsonb_build_object(
                    'text', pg_temp.words('objection', k, 30 + 10 * i), 'handled', pg_temp.share(k, 31 + 10 * i) < 0.6, 'quote', 'Well, so it is.'
                ))
                from generate_series(0, floor(2 * pg_temp.share(k, 26))::integer) as i
            ) as objections,
            (
                select jsonb_agg(jsonb_build_object('text', pg_temp.words('signal', k, 70 + 10 * i), 'quote', 'Good to know.'))
                from generate_series(0, floor(2 * pg_temp.share(k, 27))::integer) as i
            ) as signals
    ) as d;
end
$$;

-- Adds `times` calls for each of an agency's calls to another agency of the same shape (or to itself), each some minutes
-- later than the one it is like: quicker than making so many anew, and the same in every share.
create or replace function pg_temp.multiply(from_name text, to_name text, times integer) returns void
language sql as $$
    insert into calls (
        agency_id, client_id, campaign_id, direction, status, started_at, joined_at, ended_at, duration_seconds, end_reason,
        has_recording, transcript_status, transcript, analysis_status, analyzed_at, disposition, sentiment, talk_ratio,
        listen_ratio, script_adherence, interruptions, objections, buying_signals, is_qualified_lead, issue_resolved,
        escalated, emails_sent, sms_sent, summary
    )
    select
        pg_temp.id(to_name, 'agency', 0), t.client_id, t.id, c.direction, c.status, c.started_at + later,
        c.joined_at + later, c.ended_at + later, c.duration_seconds, c.end_reason, c.has_recording, c.transcript_status,
        c.transcript, c.analysis_status, c.analyzed_at + later, c.disposition, c.sentiment, c.talk_ratio, c.listen_ratio,
        c.script_adherence, c.interruptions, c.objections, c.buying_signals, c.is_qualified_lead, c.issue_resolved,
        c.escalated, c.emails_sent, c.sms_sent, c.summary
    from calls as c
    join campaigns as f on f.id = c.campaign_id
    join campaigns as t on t.agency_id = pg_temp.id(to_name, 'agency', 0) and t.name = f.name
    cross join generate_series(1, times) as n
    cross join lateral (select n * interval '37 seconds' as later) as l
    where c.agency_id = pg_temp.id(from_name, 'agency', 0)
$$;
