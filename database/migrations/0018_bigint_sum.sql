-- migrate:up
-- PostgreSQL's own sum of bigints is a numeric, made anew for each group and each column; counters are none, and stay
-- bigint: a third less for a report of many counters. Of no rows it is 0. A sum that a bigint cannot hold is an error.
create aggregate bigint_sum(bigint) (
    sfunc = int8pl, stype = bigint, initcond = '0', combinefunc = int8pl, parallel = safe
);

-- migrate:down
-- Forward only.
