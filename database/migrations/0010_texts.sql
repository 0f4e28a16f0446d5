-- migrate:up
-- When two texts are the same text, by a rule that no locale of a database changes.

set local lock_timeout = '10s';
set local statement_timeout = '60s';

-- A text in its spelling, but for white space: each run of it is one space, and there is none at either end.
create function text_spelling(written text) returns text
language sql immutable strict parallel safe as $$
    select btrim(regexp_replace(written, '[\u0009-\u000d\u0020\u0085\u00a0]+', ' ', 'g'))
$$;

-- The same for two spellings of one text.
create function text_key(spelling text) returns uuid
language plpgsql immutable strict parallel safe as $$
begin
    return encode(substring(sha256(convert_to(lower(spelling collate "C"), 'UTF8')) for 16), 'hex')::uuid;
end
$$;

-- migrate:down
-- Forward only.
