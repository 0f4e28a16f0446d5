-- One row: how many of the range's calls wait for their analysis. They are few, and have their own index.
select count(*) as waiting_calls
from calls as f
where f.status = 'completed' and f.analysis_status in ('pending', 'processing') and :where
