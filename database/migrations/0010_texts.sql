-- migrate:up
-- When two texts are the same text, by a rule that no locale of a database changes.

set local lock_timeout = '10s';
set local statement_timeout = '60s';

-- What Unicode says of characters can only be done to characters of Unicode.
do $$
begin
    if current_setting('server_encoding') <> 'UTF8' then
        raise exception 'the encoding is %, and the gateway needs UTF8: create the database with encoding ''UTF8'' template template0',
            current_setting('server_encoding');
    end if;
end
$$;

-- A text in its spelling, but for white space, each run of which is one space, with none at either end; in NFC, so that
-- a letter with its accent is one spelling, however it was typed. White space is what has this property in Unicode, each
-- character named: what `\s` stands for is the locale's. So is the collation, which a column may bring along.
create function text_spelling(written text) returns text
language plpgsql immutable strict parallel safe as $$
declare
    spelling text collate "C" := written;
begin
    -- Most are spelled already, and seeing that costs less than doing it.
    if spelling ~ '[\u0009-\u000d\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]|  |^ | $' then
        spelling := btrim(
            regexp_replace(
                spelling, '[\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+', ' ', 'g'
            ),
            ' '
        );
    end if;
    if octet_length(spelling) > char_length(spelling) and spelling is not nfc normalized then
        spelling := normalize(spelling, nfc);
    end if;
    return spelling;
end
$$;

-- A spelling without its cases: Unicode's simple case folding (CaseFolding.txt, status C and S), which gives one letter
-- for one and knows no language. `lower` is the locale's, but for ASCII in the collation "C". The other letters that fold
-- are in runs of which each letter is as far from what it folds to; letters without a run, as most are, stay. Each is
-- looked up once, so that a text of any length takes as long as it is.
create function text_folded(spelling text) returns text
language plpgsql immutable strict parallel safe as $$
declare
    folded text collate "C" := lower(spelling collate "C");
    letters text;
    foldings text;
begin
    if octet_length(folded) = char_length(folded) then
        return folded;
    end if;
    select string_agg(chr(f.code), ''), string_agg(chr(f.code + f.offsets[f.run]), '')
    into letters, foldings
    from (
        select c.code, width_bucket(c.code, r.firsts) as run, r.lasts, r.steps, r.offsets
        from (select distinct ascii(l) as code from unnest(string_to_array(folded, null)) as l offset 0) as c
        cross join (
            -- casefolding: printed from the code
            -- Unicode 16.0
            select
                '{
                    181, 192, 216, 256, 306, 313, 330, 376, 377, 383, 385, 386, 390, 391, 393, 395, 398, 399, 400, 401,
                    403, 404, 406, 407, 408, 412, 413, 415, 416, 422, 423, 425, 428, 430, 431, 433, 435, 439, 440, 444,
                    452, 453, 455, 456, 458, 459, 478, 497, 498, 502, 503, 504, 544, 546, 570, 571, 573, 574, 577, 579,
                    580, 581, 582, 837, 880, 886, 895, 902, 904, 908, 910, 913, 931, 962, 975, 976, 977, 981, 982, 984,
                    1008, 1009, 1012, 1013, 1015, 1017, 1018, 1021, 1024, 1040, 1120, 1162, 1216, 1217, 1232, 1329,
                    4256, 4295, 4301, 5112, 7296, 7297, 7298, 7299, 7301, 7302, 7303, 7304, 7305, 7312, 7357, 7680,
                    7835, 7838, 7840, 7944, 7960, 7976, 7992, 8008, 8025, 8040, 8072, 8088, 8104, 8120, 8122, 8124,
                    8126, 8136, 8140, 8147, 8152, 8154, 8163, 8168, 8170, 8172, 8184, 8186, 8188, 8486, 8490, 8491,
                    8498, 8544, 8579, 9398, 11264, 11360, 11362, 11363, 11364, 11367, 11373, 11374, 11375, 11376, 11378,
                    11381, 11390, 11392, 11499, 11506, 42560, 42624, 42786, 42802, 42873, 42877, 42878, 42891, 42893,
                    42896, 42902, 42922, 42923, 42924, 42925, 42926, 42928, 42929, 42930, 42931, 42932, 42948, 42949,
                    42950, 42951, 42955, 42956, 42960, 42966, 42972, 42997, 43888, 64261, 65313, 66560, 66736, 66928,
                    66940, 66956, 66964, 68736, 68944, 71840, 93760, 125184
                }'::integer[] as firsts,
                '{
                    181, 214, 222, 302, 310, 327, 374, 376, 381, 383, 385, 388, 390, 391, 394, 395, 398, 399, 400, 401,
                    403, 404, 406, 407, 408, 412, 413, 415, 420, 422, 423, 425, 428, 430, 431, 434, 437, 439, 440, 444,
                    452, 453, 455, 456, 458, 475, 494, 497, 500, 502, 503, 542, 544, 562, 570, 571, 573, 574, 577, 579,
                    580, 581, 590, 837, 882, 886, 895, 902, 906, 908, 911, 929, 939, 962, 975, 976, 977, 981, 982, 1006,
                    1008, 1009, 1012, 1013, 1015, 1017, 1018, 1023, 1039, 1071, 1152, 1214, 1216, 1229, 1326, 1366,
                    4293, 4295, 4301, 5117, 7296, 7297, 7298, 7300, 7301, 7302, 7303, 7304, 7305, 7354, 7359, 7828,
                    7835, 7838, 7934, 7951, 7965, 7983, 7999, 8013, 8031, 8047, 8079, 8095, 8111, 8121, 8123, 8124,
                    8126, 8139, 8140, 8147, 8153, 8155, 8163, 8169, 8171, 8172, 8185, 8187, 8188, 8486, 8490, 8491,
                    8498, 8559, 8579, 9423, 11311, 11360, 11362, 11363, 11364, 11371, 11373, 11374, 11375, 11376, 11378,
                    11381, 11391, 11490, 11501, 11506, 42604, 42650, 42798, 42862, 42875, 42877, 42886, 42891, 42893,
                    42898, 42920, 42922, 42923, 42924, 42925, 42926, 42928, 42929, 42930, 42931, 42946, 42948, 42949,
                    42950, 42953, 42955, 42956, 42960, 42970, 42972, 42997, 43967, 64261, 65338, 66599, 66771, 66938,
                    66954, 66962, 66965, 68786, 68965, 71871, 93791, 125217
                }'::integer[] as lasts,
                '{
                    1, 1, 1, 2, 2, 2, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1,
                    1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 1, 2, 1, 1, 2, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 2, 1,
                    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 1, 2, 2, 1, 1, 1, 1,
                    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 2, 2, 1, 2,
                    2, 2, 2, 2, 1, 2, 1, 1, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 1, 1,
                    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
                }'::integer[] as steps,
                '{
                    775, 32, 32, 1, 1, 1, 1, -121, 1, -268, 210, 1, 206, 1, 205, 1, 79, 202, 203, 1, 205, 207, 211, 209,
                    1, 211, 213, 214, 1, 218, 1, 218, 1, 218, 1, 217, 1, 219, 1, 1, 2, 1, 2, 1, 2, 1, 1, 2, 1, -97, -56,
                    1, -130, 1, 10795, 1, -163, 10792, 1, -195, 69, 71, 1, 116, 1, 1, 116, 38, 37, 64, 63, 32, 32, 1, 8,
                    -30, -25, -15, -22, 1, -54, -48, -60, -64, 1, -7, 1, -130, 80, 32, 1, 1, 15, 1, 1, 48, 7264, 7264,
                    7264, -8, -6222, -6221, -6212, -6210, -6211, -6204, -6180, 35267, 1, -3008, -3008, 1, -58, -7615, 1,
                    -8, -8, -8, -8, -8, -8, -8, -8, -8, -8, -8, -74, -9, -7173, -86, -9, -7235, -8, -100, -7219, -8,
                    -112, -7, -128, -126, -9, -7517, -8383, -8262, 28, 16, 1, 26, 48, 1, -10743, -3814, -10727, 1,
                    -10780, -10749, -10783, -10782, 1, 1, -10815, 1, 1, 1, 1, 1, 1, 1, 1, -35332, 1, 1, -42280, 1, 1,
                    -42308, -42319, -42315, -42305, -42308, -42258, -42282, -42261, 928, 1, -48, -42307, -35384, 1,
                    -42343, 1, 1, 1, -42561, 1, -38864, 1, 32, 40, 40, 39, 39, 39, 39, 64, 32, 32, 32, 34
                }'::integer[] as offsets
            -- /casefolding
        ) as r
        where c.code > 127
        offset 0
    ) as f
    where f.code <= f.lasts[f.run] and (f.lasts[f.run] - f.code) % f.steps[f.run] = 0;
    if letters is not null then
        folded := translate(folded, letters, foldings);
    end if;
    -- A small letter may be one with its accent where the capital was not, as that of J with a caron.
    if folded is not nfc normalized then
        folded := normalize(folded, nfc);
    end if;
    return folded;
end
$$;

-- The same for two spellings of one text, and in practice never for two texts: half of the SHA-256 of what it folds to.
-- With its schema, as whoever reads may have another search path.
create function text_key(spelling text) returns uuid
language plpgsql immutable strict parallel safe as $$
begin
    return encode(substring(sha256(convert_to(public.text_folded(spelling), 'UTF8')) for 16), 'hex')::uuid;
end
$$;

-- migrate:down
-- Forward only.
