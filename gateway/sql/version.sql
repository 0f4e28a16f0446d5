-- One row: a text that is another one after anything has changed that an answer to this agency may show. A change of a
-- call adds its step by itself until it is folded, and then in its agency's row.
select ((
    (
        select coalesce(sum(v.version), 0)
        from data_versions as v
        where v.agency_id in ($1, '00000000-0000-0000-0000-000000000000')
    ) + (
        select coalesce(sum(p.step), 0)
        from unfolded_transactions as t
        inner join call_changes as p on p.transaction_id between t.first and t.last
        where p.agency_id = $1
    )
) % 4611686018427387904)::text as version
