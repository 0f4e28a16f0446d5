"""What the repository shows is what the code says."""

import json
import re
from datetime import timedelta

from gateway.printed import ROOT, stale
from tests.given import NOW, Given
from tests.running import Running

ROOMS = ("bench", "database", "docs", "enrichment", "gateway", "resolvers", "rest_compat", "tests")


def test_printed_files_are_what_the_code_prints() -> None:
    assert [path.name for path in stale()] == [], "run: make docs"


def test_files_that_the_documents_name_are_there() -> None:
    named = {
        name
        for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
        for name in re.findall(rf"`((?:{'|'.join(ROOMS)})/[\w./-]+\.\w+)`", page.read_text("utf-8"))
    }
    assert len(named) > 10
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


async def test_the_query_of_the_readme_gives_the_answer_of_the_readme(gateway: Running, given: Given) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    query = re.search(r"```graphql\n(.*?)```", readme, re.DOTALL)
    answer = re.search(r"```json\n(.*?)```", readme, re.DOTALL)
    assert query
    assert answer
    agency = await given.agency()
    user = await given.user(agency)
    await given.calls(agency, 12, disposition="appointment_booked")
    await given.calls(agency, 98, started_at=NOW - timedelta(days=20))
    await given.calls(agency, 40, answered=False)
    assert await gateway.graphql(query[1], user) == json.loads(answer[1])["data"]


async def test_the_document_of_the_graphql_page_is_answered(gateway: Running, given: Given) -> None:
    page = (ROOT / "docs" / "graphql.md").read_text("utf-8")
    document = re.search(r"```graphql\n(.*?)```", page, re.DOTALL)
    assert document
    data = await gateway.graphql(document[1], await given.user(await given.agency()))
    assert list(data) == ["overview", "timeseries", "funnel", "campaigns", "heatmap"]


def test_the_pages_own_types_are_made_as_the_graphql_page_tells_code_generators() -> None:
    page = (ROOT / "docs" / "graphql.md").read_text("utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| `(string|number)` \|", page, re.MULTILINE))
    mapped = re.search(r"scalars: \{(.*?)\}", (ROOT / "web" / "codegen.ts").read_text("utf-8"))
    assert mapped
    assert dict(re.findall(r'(\w+): "(\w+)"', mapped[1])) == told
    assert told["BigInt"] == "number"
