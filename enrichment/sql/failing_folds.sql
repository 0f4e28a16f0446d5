-- One row a reason why changes of calls cannot be added up at present, newest first.
select error from failing_folds order by failed_at desc
