"""Random legal statements: whatever they do together, each by itself is one that PostgreSQL accepts.

They are SQL and nothing else, so that a failure can be told, and read, as the statements that led to it. Which rows
they meet they find out themselves, by ids that tell whose a row is: no session changes another's rows, and whatever
two of them wait for each other for is the log's, the rollups' or the versions'.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations

ISOLATION = ("read committed", "read committed", "repeatable read", "serializable")
FACTS = (
    *("direction", "status", "joined_at", "duration_seconds", "analysis_status", "disposition", "sentiment"),
    *("talk_ratio", "listen_ratio", "script_adherence", "interruptions", "objections", "buying_signals"),
    *("is_qualified_lead", "issue_resolved", "escalated", "emails_sent", "sms_sent", "started_at", "end_reason"),
    *("transcript", "transcript_status"),
)
PLACE = ("agency_id", "campaign_id", "client_id", "batch_id")
PARENTS = {"clients": "client_id", "campaigns": "campaign_id", "call_batches": "batch_id"}


@dataclass(frozen=True)
class Copy:
    """The rows of a query, written by COPY."""

    query: str


Statement = str | Copy


class Author:
    """Writes the transactions of one session."""

    def __init__(self, owner: str, seed: str) -> None:
        self.owner = owner
        self._seed = seed
        self._chance = random.Random(f"{seed} {owner}")  # noqa: S311
        self._drawn = 0

    def transaction(self) -> tuple[str, list[Statement]]:
        """An isolation level, and what is done in it up to its commit or rollback."""
        statements = self._some(self._chance.randint(1, 5), depth=0)
        if self._chance.random() < 0.15:
            statements.insert(self._chance.randint(0, len(statements)), "set constraints all immediate")
        if self._chance.random() < 0.08:
            statements = self._as_replica()
        statements.append("rollback" if self._chance.random() < 0.15 else "commit")
        return self._chance.choice(ISOLATION), statements

    def truncate(self) -> tuple[str, list[Statement]]:
        """All calls of all sessions go at one stroke, as the first of several statements or as the last."""
        statements = self._some(self._chance.randint(0, 2), depth=1)
        statements.insert(self._chance.choice((0, len(statements))), "truncate calls cascade")
        isolation = self._chance.choice(("read committed", "repeatable read"))
        return isolation, [*statements, self._chance.choice(("commit", "commit", "rollback"))]

    def _some(self, number: int, depth: int) -> list[Statement]:
        statements: list[Statement] = []
        for _ in range(number):
            if depth < 2 and self._chance.random() < 0.15:
                name = f"s{depth}"
                inner = self._some(self._chance.randint(1, 3), depth + 1)
                end = self._chance.choice((f"release {name}", f"rollback to {name}"))
                statements += [f"savepoint {name}", *inner, end]
            else:
                kind = self._chance.choices(list(KINDS), list(KINDS.values()))[0]
                written = kind(self)
                statements += [written] if isinstance(written, str | Copy) else written
        return statements

    def _as_replica(self) -> list[Statement]:
        """Rows as a restore or a subscription brings them: no trigger fires but those that are for it."""
        kinds = (self.insert, self.copy, self.update_facts, self.move, self.move_in_time, self.delete_what_nobody_names)
        loads: list[Statement] = [self._chance.choice(kinds)() for _ in range(self._chance.randint(1, 4))]
        ends = ["set local session_replication_role = origin"] if self._chance.random() < 0.5 else []
        return ["set local session_replication_role = replica", *loads, *ends]

    def _salt(self) -> str:
        self._drawn += 1
        return f"{self._seed}/{self.owner}/{self._drawn}"

    def _new(self, number: int) -> str:
        return f"drawn.calls('{self.owner}', '{self._salt()}', {number})"

    def _pick(self, most: int, table: str = "calls", condition: str = "true") -> str:
        """So many ids of rows of ours."""
        low, high = self.owner.ljust(32, "0"), self.owner.ljust(32, "f")
        return (
            f"select p.id from {table} as p where p.id between '{low}' and '{high}' and ({condition})"
            f" order by md5(p.id || '{self._salt()}') limit {most}"
        )

    def _redrawn(self, columns: Sequence[str], where: str) -> str:
        """An update of these columns of each call, with values of its own."""
        drawn = f"drawn.call('{self.owner}', '{self._salt()}' || c.id)"
        return (
            f"update calls as c set ({', '.join(columns)}) = (select {', '.join(f'd.{name}' for name in columns)}"
            f" from {drawn} as d) where {where}"
        )

    def _any_facts(self) -> list[str]:
        return self._chance.sample(FACTS, self._chance.choice((1, 2, len(FACTS))))

    # Calls.

    def insert(self) -> str:
        return f"insert into calls select * from {self._new(self._chance.choice((1, 1, 5, 30)))}"

    def insert_hundreds(self) -> str:
        return f"insert into calls select * from {self._new(self._chance.randint(200, 400))}"

    def copy(self) -> Statement:
        return Copy(f"select * from {self._new(self._chance.choice((1, 20)))}")

    def insert_over_what_is_there(self) -> str:
        """Half of them are there already, by their id or by their name, and change or stay as they are."""
        known = self._chance.choice(("id", "agency_id, ultravox_call_id"))
        changed = self._any_facts()
        sets = ", ".join(f"{name} = excluded.{name}" for name in changed)
        there = (
            "jsonb_populate_record(d, to_jsonb(c) - "
            + ("'ultravox_call_id'" if known == "id" else "'id'")
            + f" - '{{{','.join(changed)}}}'::text[])"
        )
        return (
            f"insert into calls select r.* from calls as c,"
            f" drawn.call('{self.owner}', '{self._salt()}' || c.id) as d, {there} as r where c.id in ({self._pick(5)})"
            f" union all select * from {self._new(3)}"
            f" on conflict ({known}) do {self._chance.choice((f'update set {sets}', 'nothing'))}"
        )

    def merge(self) -> str:
        """New ones, changed ones and deleted ones by one statement."""
        columns = [*FACTS, "agency_id", "campaign_id", "client_id", "batch_id"]
        sets = ", ".join(f"{name} = d.{name}" for name in columns)
        every = ["id", "ultravox_call_id", "has_recording", "source", *columns]
        return (
            "merge into calls as c using ("
            f"select r.* from calls as o, drawn.call('{self.owner}', '{self._salt()}' || o.id) as d,"
            " jsonb_populate_record(d, jsonb_build_object('id', o.id)) as r"
            f" where o.id in ({self._pick(8)}) union all select * from {self._new(4)}) as d on c.id = d.id"
            f" when matched and d.escalated then delete when matched then update set {sets}"
            f" when not matched then insert ({', '.join(every)}) values ({', '.join(f'd.{name}' for name in every)})"
        )

    def update_facts(self) -> str:
        return self._redrawn(self._any_facts(), f"c.id in ({self._pick(self._chance.choice((1, 10, 1000)))})")

    def respell_numbers(self) -> str:
        """1 becomes 1.0, which is another text and, to jsonb, the same value."""
        return (
            "update calls set objections = replace(objections::text, '\"text\": 1,', '\"text\": 1.00,')::jsonb"
            f" where id in ({self._pick(30)})"
        )

    def forget_words(self) -> str:
        return f"update calls set transcript = null, summary = null where id in ({self._pick(20)})"

    def swap_facts(self) -> str:
        """Each takes what another is."""
        columns = (*self._any_facts(), *PLACE)
        return (
            f"with chosen as materialized ({self._pick(6)}), placed as ("
            "select id, row_number() over (order by id) as n, count(*) over () as all_of_them from chosen)"
            f" update calls as c set ({', '.join(columns)}) ="
            f" ({', '.join(f'o.{name}' for name in columns)}) from placed as p, placed as q, calls as o"
            " where c.id = p.id and q.n = p.n % p.all_of_them + 1 and o.id = q.id"
        )

    def move(self) -> str:
        return self._redrawn(PLACE, f"c.id in ({self._pick(self._chance.choice((1, 8)))})")

    def move_to_another_agency(self) -> str:
        agency = f"(select d.agency_id from drawn.place('{self.owner}', '{self._salt()}') as d)"
        sets = f"agency_id = {agency}, campaign_id = null, client_id = null, batch_id = null"
        return f"update calls set {sets} where id in ({self._pick(5)})"

    def move_in_time(self) -> str:
        by = self._chance.choice(("1 microsecond", "1 hour", "1 day", "-1 month", "1 day", "31 days"))
        return f"update calls set started_at = started_at + interval '{by}' where id in ({self._pick(10)})"

    def leave_a_place(self) -> str:
        column = self._chance.choice(PLACE[1:])
        return f"update calls set {column} = null where id in ({self._pick(10)})"

    _unnamed = "not exists (select from campaign_contacts as k where k.call_id = p.id)"

    def rename_calls(self) -> str:
        """With or without a change of what they are."""
        sets = f"id = drawn.id('{self.owner}', '{self._salt()}' || id)"
        more = self._chance.choice(("", ", emails_sent = emails_sent + 1", ", campaign_id = null"))
        return f"update calls set {sets}{more} where id in ({self._pick(6, condition=self._unnamed)})"

    def swap_ids(self) -> list[Statement]:
        one, other = self._pick(1, condition=self._unnamed), self._pick(1, condition=self._unnamed)
        between = f"drawn.id('{self.owner}', '{self._salt()}')"
        return [
            f"create temp table swapped on commit drop as select ({one}) as one, ({other}) as other",
            f"update calls set id = {between} where id = (select one from swapped where one <> other)",
            "update calls set id = (select one from swapped) where id = (select other from swapped where one <> other)",
            f"update calls set id = (select other from swapped) where id = {between}",
            "drop table swapped",
        ]

    def replace(self) -> str:
        """Goes and comes back by one statement, under the same id."""
        return (
            f"with gone as (delete from calls where id in ({self._pick(5)}) returning *)"
            f" insert into calls select r.* from gone as g, drawn.call('{self.owner}', '{self._salt()}' || g.id) as d,"
            " jsonb_populate_record(d, jsonb_build_object('id', g.id)) as r"
        )

    def delete(self) -> str:
        return f"delete from calls where id in ({self._pick(self._chance.choice((1, 10, 300)))})"

    def delete_what_nobody_names(self) -> str:
        return f"delete from calls where id in ({self._pick(10, condition=self._unnamed)})"

    # What calls belong to.

    def open_a_place(self) -> str:
        new, place = f"drawn.id('{self.owner}', '{self._salt()}')", f"drawn.place('{self.owner}', '{self._salt()}')"
        return self._chance.choice(
            (
                f"insert into agencies (id, name, slug) select n, 'Ours', n from {new} as n",
                f"insert into clients (id, agency_id, name) select {new}, agency_id, 'Ours' from {place}",
                "insert into campaigns (id, agency_id, client_id, name)"
                f" select {new}, agency_id, client_id, 'Ours' from {place}",
                "insert into call_batches (id, agency_id, campaign_id)"
                f" select {new}, agency_id, campaign_id from {place}",
                "insert into users (id, agency_id, role, client_id)"
                f" select {new}, agency_id, 'agency_owner', client_id from {place}",
            )
        )

    def dial(self) -> str:
        """Contacts of a batch of ours, some with a call."""
        return (
            "insert into campaign_contacts (id, batch_id, campaign_id, phone_number, call_id)"
            f" select drawn.id('{self.owner}', b.id || '{self._salt()}'), b.id, b.campaign_id, '+1555',"
            f" ({self._pick(1)}) from call_batches as b where b.id in ({self._pick(2, 'call_batches')})"
        )

    def change_a_place(self) -> str:
        place = f"drawn.place('{self.owner}', '{self._salt()}')"
        table, sets = self._chance.choice(
            (
                ("clients", "name = name || '.'"),
                ("campaigns", "name = name || '.'"),
                (
                    "campaigns",
                    f"client_id = (select p.client_id from {place} as p where p.agency_id = campaigns.agency_id)",
                ),
                ("call_batches", "status = 'paused'"),
                ("users", "client_id = null, role = 'agency_member'"),
                ("campaign_contacts", "status = 'completed', call_id = null"),
                ("campaign_contacts", "attempts = attempts + 1"),
            )
        )
        return f"update {table} set {sets} where id in ({self._pick(2, table)})"

    def close_a_place(self) -> str:
        table = self._chance.choice(("agencies", *PARENTS, *PARENTS, "users", "campaign_contacts"))
        return f"delete from {table} where id in ({self._pick(self._chance.choice((1, 2)), table)})"

    def rename_a_place(self) -> str:
        """With all that names it, by one statement."""
        table = self._chance.choice(("clients", "campaigns", "call_batches"))
        column = PARENTS[table]
        naming = {
            "clients": ("users", "campaigns", "calls"),
            "campaigns": ("call_batches", "campaign_contacts", "calls"),
            "call_batches": ("campaign_contacts", "calls"),
        }[table]
        more = self._chance.choice(("", ", sms_sent = sms_sent + 1"))
        new = f"drawn.id('{self.owner}', '{self._salt()}')"
        parts = ", ".join(
            f"{name}_ as (update {name} set {column} = {new}{more if name == 'calls' else ''}"
            f" where {column} = (select id from old))"
            for name in naming
        )
        return (
            f"with old as materialized ({self._pick(1, table)}), {parts}"
            f" update {table} set id = {new} where id = (select id from old)"
        )

    def move_a_campaign(self) -> str:
        """To another agency, with its calls."""
        agency = f"(select d.agency_id from drawn.place('{self.owner}', '{self._salt()}') as d)"
        return (
            f"with old as materialized ({self._pick(1, 'campaigns')}),"
            f" calls_ as (update calls set agency_id = {agency}, client_id = null, batch_id = null"
            " where campaign_id = (select id from old)),"
            " batches_ as (update call_batches set campaign_id = null where campaign_id = (select id from old))"
            f" update campaigns set agency_id = {agency}, client_id = null where id = (select id from old)"
        )

    def move_a_place(self) -> str:
        """To another agency, where nothing holds it in its own."""
        agency = f"(select d.agency_id from drawn.place('{self.owner}', '{self._salt()}') as d)"
        table, leaving, held_by = self._chance.choice(
            (
                ("users", ", client_id = null", ()),
                ("clients", "", ("users", "campaigns", "calls")),
                ("campaigns", ", client_id = null", ("call_batches", "calls")),
                ("call_batches", ", campaign_id = null", ("calls",)),
            )
        )
        free = " and ".join(f"not exists (select from {by} as h where h.{PARENTS[table]} = p.id)" for by in held_by)
        return f"update {table} set agency_id = {agency}{leaving} where id in ({self._pick(2, table, free or 'true')})"

    def change_calls_and_delete_their_place(self) -> str:
        """The foreign key changes them a second time."""
        table = self._chance.choice(list(PARENTS))
        condition = f"c.{PARENTS[table]} = (select id from old)"
        return (
            f"with old as materialized ({self._pick(1, table)}),"
            f" calls_ as ({self._redrawn(self._any_facts(), condition)})"
            f" delete from {table} where id = (select id from old)"
        )

    def delete_several_places(self) -> str:
        order = self._chance.choice(list(permutations(PARENTS)))[: self._chance.choice((2, 3))]
        *others, last = [(table, f"delete from {table} where id in ({self._pick(2, table)})") for table in order]
        return f"with {', '.join(f'{table}_ as ({sql})' for table, sql in others)} {last[1]}"

    def change_places_and_calls(self) -> str:
        client = "(select c.id from clients as c where c.agency_id = campaigns.agency_id order by c.id limit 1)"
        return (
            f"with campaigns_ as (update campaigns set client_id = {client} where id in ({self._pick(3, 'campaigns')}))"
            f" {self._redrawn(self._any_facts(), f'c.id in ({self._pick(6)})')}"
        )

    # By programs.

    def handle_an_exception(self) -> str:
        """What was done before it is undone."""
        return (
            f"do $do$ begin {self.update_facts()}; {self.delete()}; raise exception using errcode = 'P0099';"
            f" exception when sqlstate 'P0099' then {self.insert()}; {self.update_facts()}; end $do$"
        )

    def walk_a_cursor(self) -> str:
        then = self._chance.choice(
            (
                "update calls set emails_sent = emails_sent + 1, objections = '[]' where current of k",
                "update calls set started_at = started_at + interval '1 day' where current of k",
                "update calls set campaign_id = null where current of k",
            )
        )
        return (
            f"do $do$ declare k cursor for select * from calls where id in ({self._pick(5)}) for update;"
            f" begin for r in k loop {then}; end loop; end $do$"
        )

    def call_a_function(self) -> list[Statement]:
        return [
            "create or replace function pg_temp.change(wanted uuid) returns bigint language plpgsql as $f$ begin"
            " update calls set sms_sent = sms_sent + 1, sentiment = null where id = wanted; return 1; end $f$",
            f"select sum(pg_temp.change(p.id)) from ({self._pick(4)}) as p",
        ]


KINDS: dict[Callable[[Author], Statement | list[Statement]], int] = {
    Author.insert: 8,
    Author.insert_hundreds: 2,
    Author.copy: 3,
    Author.insert_over_what_is_there: 4,
    Author.merge: 4,
    Author.update_facts: 8,
    Author.respell_numbers: 1,
    Author.forget_words: 1,
    Author.swap_facts: 2,
    Author.move: 4,
    Author.move_to_another_agency: 3,
    Author.move_in_time: 3,
    Author.leave_a_place: 2,
    Author.rename_calls: 3,
    Author.swap_ids: 2,
    Author.replace: 2,
    Author.delete: 4,
    Author.open_a_place: 8,
    Author.dial: 3,
    Author.change_a_place: 5,
    Author.close_a_place: 3,
    Author.rename_a_place: 3,
    Author.move_a_campaign: 3,
    Author.move_a_place: 3,
    Author.change_calls_and_delete_their_place: 4,
    Author.delete_several_places: 3,
    Author.change_places_and_calls: 2,
    Author.handle_an_exception: 2,
    Author.walk_a_cursor: 2,
    Author.call_a_function: 1,
}
