-- One row: the user of a token, and what they may see.
select agency_id, client_id, role::text like 'client%' as sees_one_client
from users
where id = $1
