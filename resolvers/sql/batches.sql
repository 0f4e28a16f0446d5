-- One row a batch of the page, newest first, each with the number of batches on all pages; one row of nulls for none.
-- Contacts are counted for the page's batches only.
select t.total, b.*
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
    select f.agency_id, f.id, f.created_at
    from (
        select b.id, b.agency_id, b.campaign_id, b.status, b.created_at, c.client_id
        from call_batches as b
        left join campaigns as c on c.agency_id = b.agency_id and c.id = b.campaign_id
    ) as f
    where :where
    order by f.created_at desc, f.id
    limit :limit offset :offset
) as p on true
left join v_call_batch_summary as b on b.agency_id = p.agency_id and b.id = p.id
order by p.created_at desc, p.id
