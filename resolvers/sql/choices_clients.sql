-- One row a client, by name: in the order of code points, whatever the database's locale.
select f.id, f.name
from (select c.agency_id, c.id, c.id as client_id, c.name from clients as c) as f
where :where
order by f.name collate "C", f.id
limit :limit
