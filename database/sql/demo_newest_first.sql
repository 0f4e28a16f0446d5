-- Puts the newest calls first in the queue, all of them due as of $1.
update enrichment_queue as q
set run_after = $1::timestamptz - interval '1 year' + ($1 - c.started_at)
from calls as c
where c.id = q.call_id
