"""The processor table-profile, on real tables, odd ones and hostile ones."""

import io
import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from processing.api import Processor, ProcessorError
from processing.files import InputFile
from processing.processors import _duck, _tables
from processing.processors.table_profile import table_profile
from processing.testing import Given, Outcome, run

CHECKOUT = Path(__file__).parents[4]
DATA = CHECKOUT / "tests" / "data"


def profile(data: str | bytes, name: str = "table.csv", **params: Any) -> dict[str, Any]:
    return result_of(run(table_profile, Given(data.encode() if isinstance(data, str) else data, name), **params))


def result_of(outcome: Outcome) -> dict[str, Any]:
    assert isinstance(outcome.result, dict)
    return outcome.result


def types(result: dict[str, Any]) -> dict[str, str]:
    return {column["name"]: column["type"] for column in result["columns"]}


def refused(data: str | bytes, name: str = "table.csv") -> str:
    with pytest.raises(ProcessorError) as caught:
        profile(data, name)
    assert "/" not in caught.value.message.replace("and/or", "")  # no path of ours
    return caught.value.message


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_one_table_in_four_formats_has_one_profile(ending: str) -> None:
    rows = [json.loads(line) for line in (DATA / "measurements.jsonl").read_text(encoding="utf-8").splitlines()]
    outcome = run(table_profile, DATA / f"measurements.{ending}")
    result = result_of(outcome)
    assert result["rows"] == len(rows) == 3000
    assert result["columns_total"] == 9
    assert types(result) == {
        "measured_at": "timestamp",
        "station_id": "text",
        "station": "text",
        "river": "text",
        "level_cm": "integer",
        "flow_m3s": "number",
        "water_c": "number",
        "valid": "boolean",
        "note": "text",
    }
    for column in result["columns"]:
        values = [row[column["name"]] for row in rows if row[column["name"]] is not None]
        assert column["nulls"] == 3000 - len(values)
        assert column["distinct"] == len(set(values))
        if column["type"] in ("integer", "number"):
            assert (column["min"], column["max"]) == (min(values), max(values))
            assert column["mean"] == pytest.approx(sum(values) / len(values))
            assert_histogram(column["histogram"], values)
        elif column["type"] == "timestamp":
            assert column["min"] == "2024-01-01 00:00:00+00"
            assert sum(bucket["count"] for bucket in column["histogram"]) == 3000
        else:
            assert (column["mean"], column["histogram"]) == (None, None)
    assert [row["station"] for row in result["sample"]] == [row["station"] for row in rows[:10]]
    assert result["sample"][0]["station_id"] == "00417"
    assert outcome.logs == []


def assert_histogram(histogram: list[dict[str, Any]], values: list[float]) -> None:
    assert 2 <= len(histogram) <= 10
    for one, two in itertools.pairwise(histogram):
        assert one["to"] == two["from"]
    for index, bucket in enumerate(histogram):
        last = index == len(histogram) - 1
        inside = [v for v in values if bucket["from"] <= v < bucket["to"] or (last and v == bucket["to"])]
        assert bucket["count"] == len(inside)
    assert sum(bucket["count"] for bucket in histogram) == len(values)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_the_parquet_copy_holds_the_same_rows_with_types(ending: str) -> None:
    (made,) = run(table_profile, DATA / f"measurements.{ending}").artifacts
    assert (made.name, made.content_type) == ("measurements.parquet", "application/vnd.apache.parquet")
    copy = pq.read_table(io.BytesIO(made.content)).to_pylist()
    original = pq.read_table(DATA / "measurements.parquet").to_pylist()
    assert copy == original


def test_no_copy_is_made_of_parquet_nor_where_none_is_wanted() -> None:
    assert run(table_profile, DATA / "measurements.parquet").artifacts == []
    assert run(table_profile, DATA / "measurements.csv", parquet=False).artifacts == []


def test_people_see_steps_and_the_first_rows_early() -> None:
    outcome = run(table_profile, DATA / "measurements.csv")
    messages = [step.message for step in outcome.progress]
    assert list(dict.fromkeys(messages)) == [
        "Reading the text",
        "Reading rows",
        *(f"Profiling column {number} of 9" for number in range(1, 10)),
        "Writing Parquet",
    ]
    done = [step.done for step in outcome.progress]
    assert done == sorted(done)
    assert {step.total for step in outcome.progress} == {100}
    first, second = outcome.partials
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert (first["rows"], second["rows"]) == (None, 3000)
    assert isinstance(first["sample"], list)
    assert first["sample"][0]["level_cm"] == "322"  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("values", "kind", "least", "most"),
    [
        (["1", "-2", "+3"], "integer", -2, 3),
        (["1", " 2 ", ""], "integer", 1, 2),
        (["1", "2.5", ".5", "1e3", "-0.0"], "number", 0, 1000),
        (["007", "8"], "text", "007", "8"),
        (["1_000", "2"], "text", "1_000", "2"),
        (["0x10", "1"], "text", "0x10", "1"),
        (["nan", "1"], "text", "1", "nan"),
        (["12345678901234567890", "1"], "text", "1", "12345678901234567890"),
        (["true", "False"], "boolean", False, True),
        (["2024-02-29", "2023-01-01", ""], "date", "2023-01-01", "2024-02-29"),
        (["2023-02-29", "2023-01-01"], "text", "2023-01-01", "2023-02-29"),
        (["31.12.2023", "1.2.2023"], "date", "2023-02-01", "2023-12-31"),
        (["2024-01-01 10:00", "2024-01-01T09:00:01.5"], "timestamp", "2024-01-01 09:00:01.5", "2024-01-01 10:00:00"),
        (
            ["2024-01-01T10:00:00+02:00", "2024-01-01T09:00:00Z"],
            "timestamp",
            "2024-01-01 08:00:00+00",
            "2024-01-01 09:00:00+00",
        ),
        (["10:30", "09:15:30", ""], "time", "09:15:30", "10:30:00"),
        (["25:30", "09:15"], "text", "09:15", "25:30"),
        (["", ""], "empty", None, None),
        (["a", "ä", ""], "text", "a", "ä"),
    ],
)
def test_types(values: list[str], kind: str, least: Any, most: Any) -> None:
    result = profile("key,value\n" + "".join(f"k,{value}\n" for value in values))
    column = result["columns"][1]
    assert (column["type"], column["min"], column["max"]) == (kind, least, most)
    assert column["nulls"] == sum(not value for value in values)


def test_a_value_far_down_decides_the_type_too() -> None:
    rows = "".join(f"{number}\n" for number in range(5000))
    assert profile("n\n" + rows)["columns"][0]["type"] == "integer"
    assert profile("n\n" + rows + "0.5\n")["columns"][0]["type"] == "number"
    assert profile("n\n" + rows + "n/a\n")["columns"][0]["type"] == "text"


def test_a_european_csv_has_semicolons_and_decimal_commas() -> None:
    result = profile("ort;höhe\nKöln;37,5\nUlm;478,25\n".encode("iso-8859-1"))
    assert types(result) == {"ort": "text", "höhe": "number"}
    assert result["sample"] == [{"ort": "Köln", "höhe": 37.5}, {"ort": "Ulm", "höhe": 478.25}]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "iso-8859-1"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, newline: str) -> None:
    text = newline.join(["id,name", "1,Müller", '2,"Weiß, Otto"', ""])
    result = profile(text.encode(encoding))
    assert types(result) == {"id": "integer", "name": "text"}
    assert result["sample"] == [{"id": 1, "name": "Müller"}, {"id": 2, "name": "Weiß, Otto"}]


def test_line_ends_of_two_kinds_in_one_file() -> None:
    assert profile('a,b\r\n1,2\n3,"x\r\ny"\r\n')["sample"] == [{"a": 1, "b": "2"}, {"a": 3, "b": "x\ny"}]


def test_damaged_characters_are_told() -> None:
    outcome = run(table_profile, Given(b"a,b\n" + "ä,ö\n".encode() * 30_000 + b"\xff,x\n", "t.csv"))
    assert result_of(outcome)["rows"] == 30_001
    assert [(log.level, "not valid utf-8" in log.message) for log in outcome.logs] == [("warning", True)]


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("a,b\n1,2\n", ["a", "b"], 1),
        ("1,2\n3,4\n", ["column 1", "column 2"], 2),
        ("name,city\nBob,Ulm\n", ["name", "city"], 1),
        ("Country,2019,2020\nFrance,1,2\n", ["Country", "2019", "2020"], 1),
        ("2024-01-01,x\n2024-01-02,y\n", ["column 1", "column 2"], 2),
        ("a,b\n", ["a", "b"], 0),
        ("a,b", ["a", "b"], 0),
        ("x\n1\n2\n", ["x"], 2),
        ("just a line\n", ["just a line"], 0),
        ("\n\na,b\n1,2\n", ["a", "b"], 1),
        ("a\tb\n1,5\t2\n", ["a", "b"], 1),
        ("a|b\n1|2\n", ["a", "b"], 1),
        ('"a,1";"b,2"\n"c,3";"d,4"\n', ["a,1", "b,2"], 1),
        ('"a\nb",c\n1,2\n', ["a b", "c"], 1),
    ],
)
def test_headers_and_dialects(text: str, names: list[str], rows: int) -> None:
    result = profile(text)
    assert [column["name"] for column in result["columns"]] == names
    assert result["rows"] == rows


def test_a_tsv_is_read_as_one_even_where_commas_are_more_regular() -> None:
    assert list(types(profile("a,a\tb\n1,2\t3\n4,5\t6,7\n", "t.tsv"))) == ["a,a", "b"]


HOSTILE = 'a,A,a,"q""\'uo; DROP TABLE raw",,😀,"  ","x\ny",c0,' + "n" * 500 + "\n"


def test_hostile_column_names_come_out_distinct_and_in_the_copy_too() -> None:
    outcome = run(table_profile, Given((HOSTILE + "1,2,3,4,5,6,7,8,9,10\n").encode(), "t.csv"))
    result = result_of(outcome)
    names = [column["name"] for column in result["columns"]]
    assert names[:9] == ["a", "A (2)", "a (3)", "q\"'uo; DROP TABLE raw", "column 5", "😀", "column 7", "x y", "c0"]
    assert names[9] == "n" * 200
    assert list(result["sample"][0].values()) == list(range(1, 11))
    assert pq.read_table(io.BytesIO(outcome.artifacts[0].content)).column_names == names


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The file is empty: there is no table in it."),
        (b"\xef\xbb\xbf", "The file holds nothing but white space: there is no table in it."),
        (b" \n \n", "The file holds nothing but white space: there is no table in it."),
        (b"\x7fELF\x02\x01\x01" + bytes(200), "This is no table: the file holds binary data."),
        (os.urandom(3000), "This is no table: the file holds binary data."),
        (b"PK\x03\x04" + bytes(50), "This looks like a workbook or an archive, not a table."),
        ("a,b,c\n" + "1,2,3\n" * 15 + "1,2\n", "Row 17 has 2 columns, expected 3."),
        ("a,b,c\n" + "1,2,3\n" * 15 + "1,2,3,4\n", "Row 17 has 4 columns, expected 3."),
        ("a,b,c\n" + "1,2,3\n" * 15 + "1\n", "Row 17 has 1 column, expected 3."),
        ("a,b,c\n" + "1,2,3\n" * 70_000 + "1,2\n" + "1,2,3\n" * 70_000, "Row 70002 has 2 columns, expected 3."),
        ('a,b\n1,2\n3,"x\n', "Row 3 has a quotation mark that is never closed"),
        ('a,b\n1,2\n3,"x"y\n', "Row 3 has a quotation mark that is never closed, or text after a closed one."),
        ("a,b\n1," + "x" * 3_000_000 + "\n", "Row 2 is too long to be a row of a table."),
        ("x" * 2_000_000, "The first row is longer than a million characters"),
        (",".join("abc" for _ in range(20_001)) + "\n", "The table has 20,001 columns; at most 20,000 can be read."),
    ],
)
def test_what_is_no_table_is_refused_in_plain_words(data: str | bytes, sentence: str) -> None:
    assert refused(data).startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a":1}\n{"a":2,\n{"a":3}\n', "Row 2 is not valid JSON: expecting property name enclosed in double quotes."),
        ('{"a":1}\n\n{"a":}\n', "Row 3 is not valid JSON: expecting value."),
        ('{"a":1}\n[1]\n', 'Row 2 is not an object with named values, such as {"name": "Ada"}.'),
        ('{"a":1,"a":2}\n', 'Row 1 has the key "a" twice.'),
        ('{"a":' + "[" * 10_000 + "]" * 10_000 + "}\n", "Row 1 is nested too deeply."),
    ],
)
def test_malformed_json_lines_name_the_row(text: str, sentence: str) -> None:
    assert refused(text, "t.jsonl") == sentence


@pytest.mark.parametrize("text", ["[1,2]", "[]", '{"a":', "[{}", '[{"a":1},2]'])
def test_json_that_is_no_table(text: str) -> None:
    assert refused(text, "t.json").startswith(("This JSON is no table", "The file holds no column"))


def test_json_values_keep_their_types() -> None:
    lines = [
        {"n": 1, "x": 1, "s": "5", "d": "2024-05-17", "b": True, "o": {"k": [1]}, "mixed": 1},
        {"n": 2, "x": 2.5, "s": "07", "d": "2024-05-18", "b": None, "o": [2], "mixed": "a"},
        {"n": 3, "late": "only here"},
    ]
    result = profile("".join(json.dumps(line) + "\n" for line in lines), "t.jsonl")
    assert types(result) == {
        "n": "integer",
        "x": "number",
        "s": "text",
        "d": "date",
        "b": "boolean",
        "o": "nested",
        "mixed": "text",
        "late": "text",
    }
    assert result["sample"][0] | {"o": None} == {
        "n": 1,
        "x": 1.0,
        "s": "5",
        "d": "2024-05-17",
        "b": True,
        "o": None,
        "mixed": "1",
        "late": None,
    }
    assert json.loads(result["sample"][0]["o"]) == {"k": [1]}


@pytest.mark.parametrize(
    "text", ['[{"a":1},{"a":2}]', '[\n  {"a": 1},\n  {"a": 2}\n]\n', '{"a":1}\n{"a":2}', '{\n"a":1\n}\n{\n"a":2}']
)
def test_json_in_other_layouts(text: str) -> None:
    result = profile(text, "t.json")
    assert (result["rows"], types(result)) == (2, {"a": "integer"})


def parquet_of(**columns: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def test_parquet_types_of_all_sorts() -> None:
    data = parquet_of(
        whole=pa.array([2**64 - 1, 0, 1], pa.uint64()),
        real=[1.5, float("nan"), float("inf")],
        price=pa.array([150, None, 250], pa.int64()).cast(pa.decimal128(21, 2)),
        nano=pa.array([1, 2, 3], pa.timestamp("ns")),
        zoned=pa.array([1, 2, 3], pa.timestamp("us", "Europe/Berlin")),
        blob=[b"\x00", b"x", None],
        items=[[1], [2, 3], None],
        none=pa.array([None] * 3, pa.null()),
        kind=pa.array(["a", "b", "a"]).dictionary_encode(),
        clock=pa.array([1, 2, 3], pa.time64("us")),
    )
    result = profile(data, "t.parquet")
    assert types(result) == {
        "whole": "integer",
        "real": "number",
        "price": "number",
        "nano": "timestamp",
        "zoned": "timestamp",
        "blob": "binary",
        "items": "nested",
        "none": "empty",
        "kind": "text",
        "clock": "time",
    }
    by_name = {column["name"]: column for column in result["columns"]}
    assert by_name["whole"]["max"] == 2**64 - 1
    real = by_name["real"]
    assert (real["min"], real["max"], real["mean"], real["nulls"], real["distinct"]) == (1.5, 1.5, 1.5, 0, 3)
    assert result["sample"][1]["real"] is None
    assert (by_name["none"]["nulls"], by_name["none"]["distinct"]) == (3, 0)
    assert result["sample"][0]["blob"] is None


@pytest.mark.parametrize("cut", [8, 100, 1000])
def test_damaged_parquet_is_refused_in_plain_words(cut: int) -> None:
    data = (DATA / "measurements.parquet").read_bytes()
    sentence = "This Parquet file is damaged, encrypted or of a kind that cannot be read."
    assert refused(data[:-cut], "t.parquet") == sentence
    footer = int.from_bytes(data[-8:-4], "little") + 8
    assert refused(data[:-footer] + os.urandom(footer - 8) + data[-8:], "t.parquet") == sentence
    assert refused(b"PAR1" + os.urandom(cut) + b"PAR1", "t.parquet") == sentence


def test_parquet_of_unusual_column_names() -> None:
    data = parquet_of(**{'q"uo': [1], "": [2], "a": [3], "A": [4], "x\x00y": [5]})
    result = profile(data, "t.parquet")
    assert len({name.casefold() for name in types(result)}) == 5
    assert list(result["sample"][0].values()) == [1, 2, 3, 4, 5]


def test_histograms_at_the_limits_of_numbers() -> None:
    def histogram(*values: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = profile("v\n" + "".join(f"{value}\n" for value in values))["columns"][0][
            "histogram"
        ]
        return found

    assert histogram("5", "5") == [{"from": 5, "to": 6, "count": 2}]
    assert histogram("2.5") == [{"from": 2.5, "to": 3.5, "count": 1}]
    assert histogram("1", "3") == [
        {"from": 1, "to": 2, "count": 1},
        {"from": 2, "to": 3, "count": 0},
        {"from": 3, "to": 4, "count": 1},
    ]
    assert [bucket["count"] for bucket in histogram(*map(str, range(100)))] == [10] * 10
    wide = histogram("-1e308", "1e308")
    assert [bucket["count"] for bucket in wide] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert (wide[0]["from"], wide[-1]["to"]) == (-1e308, 1e308)
    assert sum(bucket["count"] for bucket in histogram("5e-324", "0.0", "1e-323")) == 3
    days = profile("d\n2024-01-01\n2024-01-02\n2024-12-31\n")["columns"][0]["histogram"]
    assert (days[0]["from"], sum(day["count"] for day in days)) == ("2024-01-01", 3)


def test_ten_thousand_columns_are_cut_and_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tables, "COLUMNS", 20)
    monkeypatch.setattr("processing.processors.table_profile.COLUMNS", 20)
    row = ",".join(str(number) for number in range(10_000))
    outcome = run(table_profile, Given(f"{row.replace('1', 'x')}\n{row}\n".encode(), "t.csv"))
    result = result_of(outcome)
    assert (result["columns_total"], len(result["columns"]), result["rows"]) == (10_000, 20, 1)
    assert [log.message for log in outcome.logs] == [
        "The table has 10,000 columns; the first 20 are profiled.",
        "No Parquet copy is made of more than 20 columns.",
    ]
    assert outcome.artifacts == []


def test_a_row_of_wrong_width_beyond_the_profiled_columns_is_still_an_error() -> None:
    row = ",".join(["1"] * 1000)
    assert refused(f"{row}\n{row}\n{row},1\n") == "Row 3 has 1001 columns, expected 1000."


def test_the_sample_fits_into_a_message_however_wide_the_rows() -> None:
    row = ",".join(["x" * 2000] * 250)
    outcome = run(table_profile, Given(f"{row}\n{row}\n".encode(), "t.csv"))
    sample = result_of(outcome)["sample"]
    assert 1 <= len(sample) <= 2
    assert len(json.dumps(sample)) < 50_000
    assert set(map(len, sample[0].values())) == {200}


def test_long_texts_are_shortened_in_what_is_shown() -> None:
    column = profile("k,v\na," + "x" * 10_000 + "\n")["columns"][1]
    assert (len(column["min"]), column["distinct"]) == (200, 1)


def locked(folder: Path) -> Any:
    (folder / "input").write_text("a\n1\n")
    (folder / "scratch").mkdir()
    return _duck.connect(str(folder / "input"), str(folder / "scratch"))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "COPY (SELECT 1) TO '/tmp/headrace-escaped.csv'",
        "ATTACH '/tmp/headrace-escaped.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM read_csv('https://example.org/a.csv')",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
    ],
)
def test_the_database_is_locked_down(statement: str, tmp_path: Path) -> None:
    import duckdb

    connection = locked(tmp_path)
    assert connection.execute(f"SELECT count(*) FROM read_csv({_duck.text(str(tmp_path / 'input'))})").fetchone() == (
        1,
    )
    with pytest.raises(duckdb.Error, match=r"disabled|locked|extension|not found|does not exist"):
        connection.execute(statement)
    connection.close()


def test_closing_a_watched_query_interrupts_it(tmp_path: Path) -> None:
    import threading

    connection = locked(tmp_path)
    endless = "SELECT count(*) FROM range(100000000) a, range(1000000) b WHERE hash(a.range, b.range) = 1"
    steps = _duck.watched(connection, endless, "Waiting", 10, 20)
    step = next(steps)
    assert step.message == "Waiting"  # type: ignore[union-attr]
    steps.close()
    assert [thread.name for thread in threading.enumerate() if thread.name == "duckdb"] == []
    connection.close()


def test_cancelling_leaves_no_artifact_and_no_thread(tmp_path: Path) -> None:
    found: Processor = table_profile.processor  # type: ignore[attr-defined]
    path = DATA / "measurements.csv"
    file = InputFile(path, path.name, "text/csv", path.stat().st_size, None, tmp_path)
    steps = found.steps(file, {})
    for step in steps:
        if getattr(step, "message", "") == "Writing Parquet":
            break
    steps.close()
    assert file.artifacts == []


def test_it_works_under_a_limit_of_4_gib_without_an_environment() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))\n"
        "from processing.testing import run\n"
        "from processing.processors.table_profile import table_profile\n"
        "print(run(table_profile, 'tests/data/measurements.csv').result['rows'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, env={}, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("3000", 0), done.stderr


def test_counts_agree_with_python_on_a_larger_table() -> None:
    values = [(number * 7919) % 1009 for number in range(20_000)]
    column = profile("v\n" + "".join(f"{value}\n" for value in values), parquet=False)["columns"][0]
    assert (column["distinct"], column["mean"]) == (len(set(values)), pytest.approx(sum(values) / len(values)))
    buckets = Counter(min(value // 101, 9) for value in values)
    assert [bucket["count"] for bucket in column["histogram"]] == [buckets[index] for index in range(10)]
