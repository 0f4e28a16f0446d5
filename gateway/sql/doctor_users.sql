-- One row: how many users there are, and how many of them can see nothing.
select
    count(*) as users,
    count(*) filter (where agency_id is null) as without_agency,
    count(*) filter (where role::text like 'client\_%' and client_id is null) as without_client
from users
