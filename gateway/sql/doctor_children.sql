-- One row a pair of child (by inheritance, or as a partition) and parent of which one is one of these tables of `public`.
select
    child.oid::regclass::text as child, parent.oid::regclass::text as parent, child.relispartition as is_partition,
    child.relnamespace = to_regnamespace('public') and child.relname = any($1) as is_ours
from pg_inherits as i
inner join pg_class as child on child.oid = i.inhrelid
inner join pg_class as parent on parent.oid = i.inhparent
where child.relkind in ('r', 'p', 'f') and (
    (child.relnamespace = to_regnamespace('public') and child.relname = any($1))
    or (parent.relnamespace = to_regnamespace('public') and parent.relname = any($1))
)
order by parent, child
