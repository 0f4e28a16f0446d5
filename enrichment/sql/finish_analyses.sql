-- One row a job that is done, its facts and the rollup written with it: $1 worker, $2 the analyses as JSON.
-- Left out: jobs that are not this worker's any more, calls whose words have changed meanwhile, and calls that
-- somebody else is writing just now. The call is locked before its job, as by whoever writes a call.
with analyses as (
    select *
    from jsonb_to_recordset($2::jsonb) as a (
        job_id uuid, transcript_hash bigint, analyzed_by text, disposition call_disposition, sentiment call_sentiment,
        talk_ratio numeric, listen_ratio numeric, script_adherence numeric, interruptions integer,
        objections jsonb, buying_signals jsonb, is_qualified_lead boolean, issue_resolved boolean, escalated boolean,
        summary text
    )
),

mine as (
    select q.id, c.id as call_id
    from analyses as a
    inner join enrichment_queue as q on q.id = a.job_id
    inner join calls as c on c.id = q.call_id and c.agency_id = q.agency_id
    where q.status = 'running' and q.locked_by = $1 and jsonb_hash_extended(c.transcript, 0) = a.transcript_hash
    order by c.id
    for update of c skip locked
),

done as (
    delete from enrichment_queue as q
    using mine as m
    where q.id = m.id and q.status = 'running' and q.locked_by = $1
    returning q.id, q.call_id
)

update calls as c
set
    analysis_status = 'completed', analyzed_at = now(), analyzed_by = a.analyzed_by, disposition = a.disposition,
    sentiment = a.sentiment, talk_ratio = a.talk_ratio, listen_ratio = a.listen_ratio,
    script_adherence = a.script_adherence, interruptions = a.interruptions, objections = a.objections,
    buying_signals = a.buying_signals, is_qualified_lead = a.is_qualified_lead, issue_resolved = a.issue_resolved,
    escalated = a.escalated, summary = a.summary
from done as d
inner join analyses as a on a.job_id = d.id
where c.id = d.call_id
returning d.id
