-- One row a function of `public`, and one a trigger of its tables that fires.
select p.proname::text as name
from pg_proc as p
where p.pronamespace = to_regnamespace('public') and p.prokind = 'f'
union all
select t.tgname::text
from pg_trigger as t
inner join pg_class as c on c.oid = t.tgrelid
where c.relnamespace = to_regnamespace('public') and t.tgenabled in ('O', 'A') and not t.tgisinternal
