"""Documents that are sent to be a burden: families of refused ones, of any size, and valid ones of the same size."""

from collections.abc import Callable, Mapping

from graphql import GraphQLObjectType, get_named_type, is_object_type

from gateway.schema import build_schema

Family = Callable[[int], str]
"""Gives a document of about so many characters, and never of more."""

_TYPES = build_schema()._schema.type_map


def filled(head: str, unit: Callable[[int], str], tail: str, size: int) -> str:
    """As many numbered units between head and tail as there is room for."""
    parts, length = [head], len(head) + len(tail)
    while length + len(part := unit(len(parts) - 1)) <= size:
        parts.append(part)
        length += len(part)
    return "".join([*parts, tail])


def whole(name: str, leaf: str = "%s ") -> str:
    """Every field of a type, down to its leaves."""
    kind = _TYPES[name]
    assert isinstance(kind, GraphQLObjectType)
    inner = {field: get_named_type(each.type) for field, each in kind.fields.items()}
    return "".join(
        f"{field}{{{whole(of.name, leaf)}}}" if is_object_type(of) else leaf % field for field, of in inner.items()
    )


def repeated(head: str, unit: str, tail: str) -> Family:
    """One unit again and again; `%d` in it is its number."""
    return lambda size: filled(head, lambda number: unit.replace("%d", str(number)), tail, size)


def long(head: str, letter: str, tail: str) -> Family:
    """One piece that is as long as it may be."""
    return lambda size: head + letter * ((size - len(head) - len(tail)) // len(letter)) + tail


def nested(head: str, opening: str, innermost: str, closing: str, tail: str) -> Family:
    """As deep as there is room for."""
    around = len(opening) + len(closing)

    def family(size: int) -> str:
        deep = (size - len(head + innermost + tail)) // around
        return head + opening * deep + innermost + closing * deep + tail

    return family


def _web(size: int) -> str:
    """Fragments that all spread each other."""
    number = int((size / 9) ** 0.5) - 2
    spreads = "".join(f"...F{each} " for each in range(number))
    return "{...F0}" + "".join(f"fragment F{each} on Query{{{spreads}}}" for each in range(number))


def _operations_with_a_fragment(size: int) -> str:
    """Many operations that share a large fragment."""
    shared = filled("fragment F on Query{", lambda _: "campaigns(limit:$a){__typename}", "}", size // 2)
    return filled(shared, lambda number: f"query A{number}{{...F}}", "", size)


REFUSED: Mapping[str, Family] = {
    "unknown input fields": repeated("{overview(filters:{", "a%d:1 ", "}){summary{totalCalls}}}"),
    "unknown input fields of a default": repeated(
        "query($f:ReportFilters={", "a%d:1 ", "}){overview(filters:$f){__typename}}"
    ),
    "one input field again and again": repeated("{overview(filters:{", "period:TODAY ", "}){__typename}}"),
    "objects for enum values": repeated("{overview(filters:{", "period:{a:{b:1}} ", "}){__typename}}"),
    "unknown fields": repeated("{timeseries{data{", "xq%d ", "}}}"),
    "misspelt fields": repeated("{timeseries{data{", "totalCallz%d ", "}}}"),
    "long misspelt fields": repeated("{timeseries{data{", "totalCallsBlah" * 8 + "%d ", "}}}"),
    "one unknown field again and again": repeated("{overview{", "totalCallz ", "}}"),
    "misspelt arguments": repeated("{overview(", "filterz%d:1 ", "){__typename}}"),
    "one argument again and again": repeated("{overview(", "filters:{} ", "){__typename}}"),
    "misspelt types": repeated("query(", "$a%d:ReportFilterz%d ", "){__typename}"),
    "misspelt type conditions": repeated("{", "...on Overvie%d{__typename} ", "}"),
    "impossible type conditions": repeated("{", "...on Overview{__typename} ", "}"),
    "type conditions on scalars": repeated("{", "...on Int{__typename} ", "}"),
    "unused variables": repeated("query(", "$a%d:Int ", "){__typename}"),
    "one variable again and again": repeated("query(", "$a:Int ", "){__typename}"),
    "wrong defaults": repeated("query(", '$a%d:Int="x" ', "){__typename}"),
    "undefined variables": repeated("{", "campaigns(limit:$a%d){__typename}", "}"),
    "variables in the wrong place": repeated("query($a:String){", "campaigns(limit:$a){__typename}", "}"),
    "variables of one fragment in many operations": _operations_with_a_fragment,
    "misspelt enum values": repeated("{", "heatmap(metric:CALLZ%d){metric}", "}"),
    "a list for an object": repeated("{overview(filters:[", "{period:X}", "]){__typename}}"),
    "a list for a number": repeated("{campaigns(limit:[", "1 ", "]){__typename}}"),
    "unknown directives": repeated("{__typename ", "@a%d ", "}"),
    "one directive again and again": repeated("{__typename ", "@skip(if:true) ", "}"),
    "directives without their arguments": repeated("{__typename ", "@skip ", "}"),
    "deferred fragments": repeated("{", "...@defer{__typename} ", "}"),
    "unknown fragments": repeated("{", "...a%d ", "}"),
    "one fragment again and again": repeated("{...A}", "fragment A on Query{__typename}", ""),
    "unused fragments": repeated("{__typename}", "fragment A%d on Query{__typename}", ""),
    "fragments in a chain of cycles": lambda size: filled(
        "{...F0}", lambda n: f"fragment F{n} on Query{{...F{n + 1} ...F0}}", "fragment Z on Query{...F0}", size
    ),
    "fragments that all spread each other": _web,
    "operations of one name": repeated("", "query A{__typename}", ""),
    "operations without a name": repeated("", "{__typename}", ""),
    "many operations": repeated("", "query A%d{nothing}", ""),
    "described operations": repeated("", '"d"query A%d{nothing}', ""),
    "types of one name": repeated("{__typename}", "type A{a:Int} ", ""),
    "types": repeated("{__typename}", "type A%d{a:Int} ", ""),
    "no selection": repeated("{", "overview ", "}"),
    "selections of leaves": repeated("{overview{summary{", "totalCalls{x} ", "}}}"),
    "names that conflict": repeated("{overview{summary{", "totalCalls:contactRate totalCalls ", "}}}"),
    "arguments that conflict": repeated("{", "objections(limit:%d){__typename}", "}"),
    "deep conflicts": repeated(
        "{", "overview{summary{x:totalCalls}}overview{summary{x:contactRate}}", "}"
    ),
    "one field again and again": repeated("{", "__typename ", "nothing}"),
    "one part again and again": repeated("{overview{", "summary{totalCalls} ", "nothing}}"),
    "introspection": repeated("{", "__schema{types{name}} ", "}"),
    "a subscription": repeated("subscription{", "a%d ", "}"),
    "a mutation": repeated("mutation{", "a%d ", "}"),
    "aliases": repeated("{", "a%d:__typename ", "}"),
    "nested fields": nested("{", "overview{", "x", "}", "}"),
    "nested lists": nested("{overview(filters:", "[", "", "]", "){x}}"),
    "nested objects": nested("{overview(filters:", "{a:", "1", "}", "){x}}"),
    "nested types": nested("query($a:", "[", "Int", "]", "){x}"),
    "nested fragments": nested("{", "...{", "x", "}", "}"),
    "a long field": long("{", "x", "}"),
    "a long alias": long("{", "x", ":__typename}"),
    "a long enum value": long("{heatmap(metric:", "X", "){metric}}"),
    "a long string": long('{heatmap(metric:"', "X", '"){metric}}'),
    "a long id": long('{overview(filters:{campaignId:"', "x", '"}){__typename}}'),
    "a long block string": long('{overview(filters:{campaignId:"""', "x\n", '"""}){__typename}}'),
    "escapes": long('{overview(filters:{campaignId:"', "\\u0041", '"}){__typename}}'),
    "a long number": long("{campaigns(limit:", "9", "){__typename}}"),
    "a long fraction": long("{campaigns(limit:1.", "9", "){__typename}}"),
    "a long comment": long("{nothing}#", "#", ""),
    "commas": long("{nothing}", ",", ""),
    "lines": long("{nothing}", "\n", ""),
    "no end": repeated("{", "a ", ""),
    "one end too many": repeated("{", "a ", "}}"),
    "no document": long("", "?", ""),
}  # fmt: skip
"""Each has something wrong with it, or is beyond a limit."""


def _whole_reports(size: int) -> str:
    """Whole reports under other names, as many as are allowed."""
    names = ("overview", "funnel", "quality", "campaigns")
    reports = [f"{name}(filters:{{period:TODAY clientId:null}}){{{whole(name.title())}}}" for name in names]
    return filled("{", lambda number: f"a{number}:{reports[number % len(reports)]}", "}", min(size, 6_000))


def _switched_fields(size: int) -> str:
    """Fields with two switches each, in as many reports as are allowed."""
    days = whole("TimeseriesDay", "%s@skip(if:false)@include(if:true) ").split(" ")[:-1]
    parts, room = ["{__typename "], min(size, 12_000) - len("{__typename }")
    while len(parts) < 6 and room > 100:
        head = f"a{len(parts)}:timeseries{{data{{"
        fitting = next(number for number in range(len(days), 0, -1) if len(" ".join(days[:number])) + 30 <= room)
        parts.append(f"{head}{' '.join(days[:fitting])}}}}}")
        room -= len(parts[-1])
    return "".join([*parts, "}"])


def _parts_repeated(size: int) -> str:
    """What many parts of a page ask for, each for itself, and other fields beside it."""
    parts = filled("{overview{", lambda _: "summary{totalCalls}", "}", min(size, 1_000))
    return f"{parts}{_switched_fields(size - len(parts))[1:]}"


def _in_words(family: Family) -> Family:
    """What is left of the size is filled with a comment."""

    def filled_up(size: int) -> str:
        text = family(size)
        return f"{text}#{'-' * (size - len(text) - 1)}" if size > len(text) else text

    return filled_up


VALID: Mapping[str, Family] = {
    "whole reports": _in_words(_whole_reports),
    "switched fields": _in_words(_switched_fields),
    "parts repeated": _in_words(_parts_repeated),
}
"""Answered, whatever their size."""
