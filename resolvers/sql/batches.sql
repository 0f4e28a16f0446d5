-- One row a batch of the page, newest first, each with the number of batches on all pages; one row of nulls for none.
select t.total, p.*
from (
    select count(*) as total
    from (
        select b.agency_id, b.campaign_id, b.status, c.client_id
        from call_batches as b
        left join campaigns as c on c.agency_id = b.agency_id and c.id = b.campaign_id
    ) as f
    where :where
) as t
left join (
    select f.*
    from (
        select b.*, c.client_id
        from v_call_batch_summary as b
        left join campaigns as c on c.agency_id = b.agency_id and c.id = b.campaign_id
    ) as f
    where :where
    order by f.created_at desc, f.id
    limit :limit offset :offset
) as p on true
order by p.created_at desc, p.id
