-- One row: what an analyser needs of call $1.
select c.transcript::text as transcript, c.direction = 'inbound' as inbound, c.end_reason, c.analyzed_by
from calls as c
where c.id = $1
