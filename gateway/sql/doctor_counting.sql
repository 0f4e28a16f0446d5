-- One row a function of `public`, and one a trigger of its tables: when that fires (pg_trigger.tgenabled), and on what.
select p.proname::text as name, null as fires, null as on_table
from pg_proc as p
where p.pronamespace = to_regnamespace('public') and p.prokind = 'f'
union all
select t.tgname::text, t.tgenabled::text, quote_ident(c.relname)
from pg_trigger as t
inner join pg_class as c on c.oid = t.tgrelid
where c.relnamespace = to_regnamespace('public') and not t.tgisinternal
