-- One row: the viewer's agency and, if they see one only, their client by name, and when the first of the calls that they may
-- see began.
select
    (select a.name from agencies as a where a.id = :agency) as agency_name,
    (select c.name from clients as c where c.agency_id = :agency and c.id = :own_client) as client_name,
    (select min(f.started_at) from calls as f where :where) as first_call_at
