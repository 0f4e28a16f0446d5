-- One row a campaign, by name: in the order of code points, as the campaigns report, whatever the database's locale.
select f.id, f.name, f.client_id
from campaigns as f
where :where
order by f.name collate "C", f.id
limit :limit
