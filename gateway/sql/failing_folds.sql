-- One row while folds fail: the last that did, if none has succeeded since. The changes of calls then are not added up, and
-- who reads adds ever more of them.
select l.finished_at, l.error
from cron_job_logs as l
where l.job = 'fold_call_changes' and l.status = 'failed' and l.finished_at > (select max(f.folded_at) from call_fold as f)
order by l.finished_at desc
limit 1
