"""/openapi.json tells the truth: real answers fit the documented schemas, real parameters are the documented ones."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from jsonschema_rs import Draft202012Validator
from structlog.testing import capture_logs

from resolvers.metrics import METRICS, TIMESERIES_METRICS
from tests.conftest import Database, Postgres
from tests.doors import REPORTS, House, check_manners, furnished
from tests.given import NOW, Given, token
from tests.running import Running, running, settings_for

Spec = Mapping[str, Any]

GOOD_DAY = {"start_date": "2026-02-01", "end_date": "2026-02-10"}


@pytest.fixture(scope="module")
async def house(server: Postgres) -> AsyncIterator[House]:
    """With every kind of entry that an answer can hold."""
    async with furnished(server) as house:
        given = house.given
        campaign = await given.campaign(house.agency, await given.client(house.agency))
        said = {"objections": [{"text": "Price", "handled": True, "quote": "…"}]}
        for days in range(3):
            await given.calls(
                house.agency, 3, campaign_id=campaign, started_at=NOW - timedelta(days=days), talk_ratio=0.5,
                sentiment="positive", buying_signals=[{"text": "When?", "quote": "…"}], **said,
            )  # fmt: skip
        await given.call(house.agency, status="failed", answered=False, disposition=None)
        await given.batch(house.agency, campaign, {"completed": 2, "pending": 1}, status="completed", completed_at=NOW)
        await given.batch(house.agency)
        yield house


@pytest.fixture(scope="module")
async def spec(house: House) -> Spec:
    """As it is served, without a token."""
    response = await house.gateway.http.get("/openapi.json")
    assert response.status_code == 200, response.text
    return response.json()


def resolved(spec: Spec, node: Any) -> Any:
    """What a reference leads to, or the node itself."""
    for step in node["$ref"].removeprefix("#/").split("/") if "$ref" in node else ():
        spec = spec[step]
    return spec if "$ref" in node else node


def operation(spec: Spec, report: str, method: str = "get") -> dict[str, Any]:
    """An endpoint's, its path's parameters and its headers where it has them by reference."""
    path = spec["paths"][f"/functions/v1/dashboard-{report}"]
    responses = {status: resolved(spec, response) for status, response in path[method]["responses"].items()}
    for status, response in responses.items():
        headers = {name: resolved(spec, header) for name, header in response["headers"].items()}
        responses[status] = {**response, "headers": headers}
    parameters = [resolved(spec, parameter) for parameter in path["parameters"]]
    return {**path[method], "parameters": parameters, "responses": responses}


def check(spec: Spec, report: str, response: httpx2.Response, status: int) -> None:
    """The answer has that status, and what is documented for it describes it: body, media type and headers."""
    assert response.status_code == status, response.text
    documented = operation(spec, report)["responses"][str(status)]
    ((media_type, content),) = documented["content"].items()
    assert response.headers["content-type"] == media_type
    schema = {**content["schema"], "components": spec["components"]}
    Draft202012Validator(schema, validate_formats=True).validate(response.json())
    check_headers(documented, response)


def check_headers(documented: Mapping[str, Any], response: httpx2.Response) -> None:
    """Each documented header is there and fits, and none of the telling ones is missing from the document."""
    for name, header in documented["headers"].items():
        value = response.headers[name]
        kind = Draft202012Validator(header["schema"])
        kind.validate(int(value) if header["schema"]["type"] == "integer" else value)
    for name in ("ETag", "Retry-After", "WWW-Authenticate", "Allow"):
        assert (name in response.headers) == (name in documented["headers"]), name


def every_object(schema: Any) -> list[dict[str, Any]]:
    """The schemas of objects in a schema."""
    if isinstance(schema, list):
        return [found for item in schema for found in every_object(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" else []
    return own + [found for item in schema.values() for found in every_object(item)]


def test_it_describes_exactly_the_seven_endpoints(spec: Spec) -> None:
    assert spec["openapi"].startswith("3.1")
    assert list(spec["paths"]) == [f"/functions/v1/dashboard-{report}" for report in REPORTS]
    assert all(list(path) == ["parameters", "get", "head"] for path in spec["paths"].values())
    ids = [operation(spec, report, method)["operationId"] for report in REPORTS for method in ("get", "head")]
    assert len(set(ids)) == 14


def test_every_reference_leads_somewhere(spec: Spec) -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, list):
            return [found for item in node for found in references(item)]
        if isinstance(node, dict):
            here = [node["$ref"]] if "$ref" in node else []
            return here + [found for item in node.values() for found in references(item)]
        return []

    assert references(spec)
    for reference in references(spec):
        node: Any = spec
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_it_says_that_a_bearer_token_is_needed(spec: Spec) -> None:
    scheme = spec["components"]["securitySchemes"]["bearer"]
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")
    assert spec["security"] == [{"bearer": []}]
    assert not any("security" in operation(spec, report) for report in REPORTS)


def test_every_status_is_described_and_all_but_304_have_a_json_body(spec: Spec) -> None:
    for report in REPORTS:
        responses = operation(spec, report)["responses"]
        assert set(responses) == {"200", "304", "400", "401", "403", "404", "405", "429", "500", "503"}
        for status, response in responses.items():
            assert response["description"]
            assert list(response.get("content", {})) == ([] if status == "304" else ["application/json"])
        headers_alone = operation(spec, report, "head")["responses"]
        assert set(headers_alone) == {"200", "304", "4XX", "5XX"}
        assert not any("content" in response for response in headers_alone.values())


def test_everything_is_described_in_the_words_of_graphql_and_its_names_are_the_old_ones(spec: Spec) -> None:
    schemas = spec["components"]["schemas"]
    for name, schema in schemas.items():
        assert schema["description"], name
        for key, found in schema.get("properties", {}).items():
            assert found.get("description") or name in ("Error", "ServerError"), f"{name}.{key}"
    for report in REPORTS:
        assert all(parameter["description"] for parameter in operation(spec, report)["parameters"])
    for name, metric in METRICS.items():
        if name in schemas["Summary"]["properties"]:
            assert schemas["Summary"]["properties"][name]["description"] == f"{metric.sentence} Unit: {metric.unit}."
    words = json.dumps(spec)
    assert not re.search(r"`[a-z]+[A-Z]\w*`", words)
    assert "null while" not in words


def test_choices_are_enums_with_names_for_programs_and_words_for_people(spec: Spec) -> None:
    schemas = spec["components"]["schemas"]
    enums = {name: schema for name, schema in schemas.items() if "enum" in schema}
    assert set(enums) == {"Period", "HeatmapPeriod", "HeatmapMetric", "BatchStatus", "BatchStatusFilter", "MetricName"}
    for schema in enums.values():
        values, names = schema["enum"], schema["x-enum-varnames"]
        assert len(values) == len(names) == len(set(names))
        assert all(name.isidentifier() for name in names)
        described = re.findall(r"^- `(\w+)`: \w", schema["description"], re.MULTILINE)
        assert described == values
    assert enums["MetricName"]["enum"] == list(TIMESERIES_METRICS)
    assert dict(zip(enums["Period"]["enum"], enums["Period"]["x-enum-varnames"], strict=True))["7d"] == "LAST_7_DAYS"
    assert set(enums["BatchStatus"]["enum"]) - set(enums["BatchStatusFilter"]["enum"]) == {"cancelled"}


def test_every_report_has_an_example_that_fits_its_schema_and_so_has_every_error(spec: Spec) -> None:
    for report in REPORTS:
        for status, response in operation(spec, report)["responses"].items():
            for content in response.get("content", {}).values():
                if status == "200":
                    closed(spec, report).validate(content["example"])
                schema = {**content["schema"], "components": spec["components"]}
                Draft202012Validator(schema, validate_formats=True).validate(content["example"])


def test_every_key_is_required_but_the_metrics_of_a_day_that_were_not_asked_for(spec: Spec) -> None:
    for name, schema in spec["components"]["schemas"].items():
        for found in every_object(schema):
            assert found["required"] == (["date"] if name == "TimeseriesDay" else list(found["properties"])), name


def test_whole_numbers_that_add_up_are_said_to_have_64_bits(spec: Spec) -> None:
    whole = {
        (name, found.get("format"))
        for schema in spec["components"]["schemas"].values()
        for name, found in schema.get("properties", {}).items()
        if found.get("type") == "integer"
    }
    bounded = {name for name, kind in whole if kind is None}
    assert bounded == {"day", "hour", "avg_duration_seconds", "progress_pct", "limit"}
    assert {kind for name, kind in whole if name not in bounded} == {"int64"}
    assert {"total_calls", "metric_value", "handled", "total", "offset"} <= {name for name, _ in whole}


@pytest.mark.parametrize("report", REPORTS)
async def test_good_answers_fit_their_schema_and_have_no_other_keys(house: House, spec: Spec, report: str) -> None:
    asked: list[dict[str, Any]] = [{}, {"period": "30d"}, {"period": "90d"}, {"campaign_id": str(uuid4())}]
    if report == "timeseries":
        asked.append({"metrics": "avg_talk_ratio,total_calls"})
    validator = closed(spec, report)
    for params in asked:
        response = await house.get(report, **params)
        check(spec, report, response, 200)
        validator.validate(response.json())
    # An agency without calls, too.
    nobody = await house.given.user(await house.given.agency())
    check(spec, report, await house.gateway.get(report, nobody), 200)


def closed(spec: Spec, report: str) -> Draft202012Validator:
    """The schema of a good answer, with every object closed: what is not documented is not in the answer."""
    components = {"schemas": {name: _closed(schema) for name, schema in spec["components"]["schemas"].items()}}
    content = operation(spec, report)["responses"]["200"]["content"]["application/json"]
    return Draft202012Validator({**content["schema"], "components": components}, validate_formats=True)


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _closed(value) for key, value in schema.items()}
    return {**inner, "additionalProperties": False} if schema.get("type") == "object" else inner


async def test_keys_come_in_the_documented_order(house: House, spec: Spec) -> None:
    def keys(value: Any) -> list[list[str]]:
        if isinstance(value, list):
            return keys(value[0]) if value else []
        if not isinstance(value, dict):
            return []
        return [list(value), *(found for item in value.values() for found in keys(item))]

    def documented(schema: Any) -> list[list[str]]:
        if reference := schema.get("$ref"):
            return documented(spec["components"]["schemas"][reference.rpartition("/")[2]])
        if schema.get("type") == "array":
            return documented(schema["items"])
        if schema.get("type") != "object":
            return []
        properties = schema["properties"]
        return [list(properties), *(found for item in properties.values() for found in documented(item))]

    for report in REPORTS:
        content = operation(spec, report)["responses"]["200"]["content"]["application/json"]
        assert keys(await house.rest(report)) == documented(content["schema"])


@pytest.mark.parametrize("report", REPORTS)
async def test_errors_before_the_database_fit_their_schema(house: House, spec: Spec, report: str) -> None:
    path = f"/functions/v1/dashboard-{report}"
    clientless = await house.given.user(house.agency, role="client_admin")
    check(spec, report, await house.get(report, period="nonsense"), 400)
    check(spec, report, await house.gateway.http.get(path), 401)
    check(spec, report, await house.gateway.get(report, UUID(int=1)), 403)
    check(spec, report, await house.gateway.get(report, clientless), 403)
    headers = {"Authorization": f"Bearer {token(house.owner)}"}
    check(spec, report, await house.gateway.http.post(path, headers=headers), 405)
    check(spec, report, await house.gateway.http.get(f"{path}s", headers=headers), 404)


@pytest.mark.parametrize("report", REPORTS)
async def test_what_has_not_changed_and_headers_alone_are_as_documented(house: House, spec: Spec, report: str) -> None:
    path = f"/functions/v1/dashboard-{report}"
    headers = {"Authorization": f"Bearer {token(house.owner)}"}
    etag = (await house.get(report)).headers["etag"]
    for method in ("GET", "HEAD"):
        documented = operation(spec, report, method.lower())["responses"]
        same = await house.gateway.http.request(method, path, headers={**headers, "If-None-Match": etag})
        assert (same.status_code, same.content) == (304, b"")
        check_headers(documented["304"], same)
    for asked, status, known in (({}, 200, "200"), ({"period": "x"}, 400, "4XX")):
        head = await house.gateway.http.head(path, params=asked, headers=headers)
        assert (head.status_code, head.content) == (status, b"")
        check_headers(operation(spec, report, "head")["responses"][known], head)


async def test_it_has_an_etag_and_comes_packed(house: House) -> None:
    http = house.gateway.http
    plain = await http.get("/openapi.json", headers={"Accept-Encoding": "identity"})
    packed = await http.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 4
    assert packed.json() == plain.json()
    again = await http.get("/openapi.json", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    check_manners(plain)


async def test_a_429_fits_its_schema(house: House, spec: Spec) -> None:
    async with running(settings_for(house.database.dsn, rate_limit="1/hour")) as gateway:
        assert (await gateway.get("overview", house.owner)).status_code == 200
        for report in REPORTS:
            check(spec, report, await gateway.get(report, house.owner), 429)


async def test_a_500_and_a_503_fit_their_schemas(
    spec: Spec, gateway: Running, database: Database, given: Given
) -> None:
    user = await given.user(await given.agency())
    for table in ("calls", "call_stats_folded", "agency_hours_folded", "call_batches"):
        await given.connection.execute(f"drop table {table} cascade")
    with capture_logs():
        for report in REPORTS:
            check(spec, report, await gateway.get(report, user), 500)
    async with running(settings_for(database.dsn.replace("gateway_test", "gateway_gone"))) as away:
        for report in REPORTS:
            check(spec, report, await away.get(report, user), 503)


HEADERS = {"If-None-Match", "X-Request-Id"}


def parameters(spec: Spec, report: str) -> dict[str, dict[str, Any]]:
    """Those of the query, each with its whole schema."""
    found = {parameter["name"]: parameter for parameter in operation(spec, report)["parameters"]}
    assert len(found) == len(operation(spec, report)["parameters"])
    assert {name for name, parameter in found.items() if parameter["in"] == "header"} == HEADERS
    for name in HEADERS:
        del found[name]
    return {
        name: {**parameter, "schema": {**resolved(spec, parameter["schema"]), **parameter["schema"]}}
        for name, parameter in found.items()
    }


@pytest.mark.parametrize("report", REPORTS)
async def test_the_documented_parameters_are_those_that_are_read(house: House, spec: Spec, report: str) -> None:
    """A parameter is read if nonsense in it is refused."""
    every_name = {name for other in REPORTS for name in parameters(spec, other)}
    assert every_name == {
        *("period", "start_date", "end_date", "campaign_id", "client_id"),
        *("metrics", "status", "limit", "offset", "metric"),
    }
    dates = {} if report == "heatmap" else {"period": "custom", **GOOD_DAY}
    answers = await asyncio.gather(*(house.get(report, **{**dates, name: "nonsense"}) for name in every_name))
    read = {name for name, answer in zip(every_name, answers, strict=True) if answer.status_code == 400}
    assert read == set(parameters(spec, report))
    assert {answer.status_code for answer in answers} <= {200, 400}
    for parameter in parameters(spec, report).values():
        assert parameter["in"] == "query"
        assert parameter["description"]
        assert not parameter.get("required")


def good_and_bad(spec: Spec, parameter: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[str]]:
    """Values that a parameter's schema allows, its bounds included, and values just outside of it."""
    schema = parameter["schema"]
    match schema:
        case {"type": "string", "enum": [*values]}:
            return [*values, ""], [values[0].upper() + "x", values[0] + " ", ",".join(values)]
        case {"type": "string", "format": "date"}:
            return ["2026-02-05", "2026-02-01"], ["2026-02-30", "2026-2-5", "20260205", "", "2026-02-05T00:00:00Z"]
        case {"type": "string", "format": "uuid"}:
            id_ = str(uuid4())
            return [id_, id_.upper(), ""], ["0", id_[:-1], id_.replace("-", ""), f"{{{id_}}}"]
        case {"type": "integer", "minimum": least}:
            most = schema.get("maximum")
            good = [least, least + 1, 77, 10**12, 10**17] + ([most] if most else [10**30])
            return ["", *map(str, good)], [str(least - 1), "1.5", "x", *([str(most + 1)] if most else [])]
        case {"type": "array", "items": items}:
            values = resolved(spec, items)["enum"]
            assert (parameter["style"], parameter["explode"]) == ("form", False)
            good = [*values, ",".join(values), ",".join(reversed(values)), values[0] + ",", ""]
            return good, ["x", f"{values[0]},x", values[0].upper()]
    raise AssertionError(schema)


@pytest.mark.parametrize("report", REPORTS)
async def test_documented_values_are_accepted_and_others_refused(house: House, spec: Spec, report: str) -> None:
    limit = asyncio.Semaphore(8)

    async def ask(status: int, params: dict[str, str]) -> None:
        async with limit:
            check(spec, report, await house.get(report, **params), status)

    asked = []
    for name, parameter in parameters(spec, report).items():
        good, bad = good_and_bad(spec, parameter)
        dates = GOOD_DAY if "custom" in good or "date" in name else {}
        period = {"period": "custom"} if "date" in name else {}
        asked += [ask(200, {**dates, **period, name: value}) for value in good]
        asked += [ask(400, {**dates, **period, name: value}) for value in bad]
    await asyncio.gather(*asked)


@pytest.mark.parametrize("report", REPORTS)
async def test_documented_defaults_are_those_in_force(house: House, spec: Spec, report: str) -> None:
    defaults = {
        name: str(parameter["schema"]["default"])
        for name, parameter in parameters(spec, report).items()
        if "default" in parameter["schema"]
    }
    plain = await house.rest(report)
    assert defaults["period"] == ("30d" if report in ("campaigns", "heatmap") else "7d")
    assert await house.rest(report, **defaults) == plain
    assert set(defaults) == {"period"} | {
        "campaigns": {"limit", "offset"}, "heatmap": {"metric"}, "objections": {"limit"},
    }.get(report, set())  # fmt: skip


def test_the_heatmap_documents_its_own_periods(spec: Spec) -> None:
    assert parameters(spec, "heatmap")["period"]["schema"]["enum"] == ["7d", "30d", "90d"]
    assert parameters(spec, "overview")["period"]["schema"]["enum"] == ["today", "7d", "30d", "90d", "custom"]
