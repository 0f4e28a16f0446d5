-- One row: the user of a token, and what they may see. None for a user the platform does not know.
select agency_id, role, client_id
from users
where id = $1
