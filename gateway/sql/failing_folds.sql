-- One row while changes of calls are not added up: the newest reason. Who reads adds ever more of them then.
select failed_at, error
from failing_folds
order by failed_at desc
limit 1
