-- One row: a number that is another one after anything has changed that an answer to this agency may show.
select coalesce(sum(v.version), 0)::bigint as version
from data_versions as v
where v.agency_id in ($1, '00000000-0000-0000-0000-000000000000')
