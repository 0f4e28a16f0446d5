-- One row: the batch of campaign $1 that is being dialled, its next contact now in call $2; none if there is none left.
update campaign_contacts as t
set status = 'in_progress', call_id = $2, attempts = t.attempts + 1
where t.id = (
    select p.id
    from campaign_contacts as p
    inner join call_batches as b on b.id = p.batch_id
    where b.status = 'processing' and b.campaign_id = $1 and p.status in ('queued', 'pending')
    order by p.status desc, p.id
    limit 1
    for update of p skip locked
)
returning t.batch_id
