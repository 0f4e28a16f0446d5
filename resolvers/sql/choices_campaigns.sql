-- One row a campaign, by name.
select f.id, f.name, f.client_id
from campaigns as f
where :where
order by f.name, f.id
limit :limit
