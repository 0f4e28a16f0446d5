-- One row a table or view of `public` that is asked for: its columns, and what of it this role may see.
select
    c.relname as name,
    array_agg(a.attname::text) as columns,
    has_table_privilege(c.oid, 'select') as may_read,
    row_security_active(c.oid) as is_filtered,
    exists (
        select from pg_policy as p
        where p.polrelid = c.oid and p.polcmd in ('r', '*')
            and exists (select from unnest(p.polroles) as role where role = 0 or pg_has_role(role, 'member'))
    ) as has_policy
from pg_class as c
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = to_regnamespace('public') and c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relname = any($1)
group by c.oid, c.relname
