"""The command line: tables for people, the same bytes for programs."""

import csv
import itertools
import json
import os
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from lab.files import LAB_DATA
from service.api.contract.examples import CLAIMS, REQUESTS
from service.cli import app
from service.local import claim_bytes, quote_bytes

EPOCH = LAB_DATA / "epoch_costs.csv"
RUN = CliRunner(env={"COLUMNS": "220"})


def file_of(directory, request):
    path = directory / "request.json"
    path.write_text(json.dumps(request))
    return str(path)


@pytest.mark.parametrize("example", REQUESTS, ids=lambda example: example.name)
def test_every_example_is_shown_with_its_bases_and_bridges(example, tmp_path):
    done = RUN.invoke(app, ["quote", file_of(tmp_path, example.request), "--figures"])
    assert done.exit_code == 0, done.output
    answer = json.loads(quote_bytes(json.dumps(example.request).encode()))
    for bill in answer["bases"]:
        assert bill["basis"] in done.output
    for bridge in answer["bridges"]:
        assert f"from {bridge['start_basis']} to {bridge['end_basis']}" in done.output
    assert answer["id"] in done.output


def test_a_name_is_printed_as_it_is(tmp_path):
    """Brackets in it are no commands to the terminal."""
    request = json.loads(json.dumps(REQUESTS[0].request))
    request["run"]["name"] = "[/x] [red]r[/red]"
    request["run"]["stages"][0]["name"] = "[bold]s [/y]"
    done = RUN.invoke(app, ["quote", file_of(tmp_path, request), "--full"])
    assert done.exit_code == 0
    assert "[/x] [red]r[/red]" in done.output
    assert "[bold]" in done.output


def test_json_is_the_bytes_that_the_service_answers(tmp_path):
    request = REQUESTS[0].request
    done = RUN.invoke(app, ["quote", file_of(tmp_path, request), "--format", "json"])
    assert done.stdout_bytes == quote_bytes(json.dumps(request).encode())
    lines = RUN.invoke(app, ["quote", file_of(tmp_path, request), "--format", "lines"])
    assert json.loads(lines.stdout) == json.loads(done.stdout)
    assert lines.stdout.count("\n") > 100


def test_what_is_below_a_cent_or_an_hour_is_shown_with_its_digits(tmp_path):
    """0.002 device-hours at $2 are 0.004 dollars."""
    stage = {"name": "one", "work": {"kind": "metered", "device_hours": 0.002}}
    supply = {"kind": "rate", "usd_per_device_hour": 2.0}
    request = {
        "run": {"name": "tiny", "stages": [stage]},
        "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 1, "supply": supply},
        "options": {"bases": ["rental", "owned"]},
    }
    done = RUN.invoke(app, ["quote", file_of(tmp_path, request), "--full"])
    first = next(line for line in done.output.splitlines() if " 0.002 " in line)
    assert " 0.004 " in first


def test_why_a_line_has_no_price_is_told_below_its_table(tmp_path):
    """80 device-hours at $2 are too small a development for staff to have an amount."""
    stage = {"name": "one", "work": {"kind": "metered", "device_hours": 80}}
    request = {
        "run": {"name": "small", "stages": [stage]},
        "cluster": {
            "accelerator": "nvidia-h100-sxm-80gb",
            "devices": 8,
            "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
        },
        "options": {"bases": ["fully_loaded"]},
    }
    lines = RUN.invoke(app, ["quote", file_of(tmp_path, request), "--full"]).output.splitlines()
    row = next(line for line in lines if "│ staff" in line)
    assert row.count("unpriced") == 1
    assert any(line.startswith("staff is unpriced: costs of staff are published") for line in lines)


def test_tables_name_the_currency(tmp_path):
    request = REQUESTS[0].request | {"options": {"currency": "JPY"}}
    done = RUN.invoke(app, ["quote", file_of(tmp_path, request), "--full", "--start", "2027-01-15"])
    assert done.exit_code == 0, done.output
    answer = json.loads(quote_bytes(json.dumps(request).encode()))
    total = int(answer["bases"][0]["total"]["amount"])
    assert f" {total:,} " in done.output
    assert all(words in done.output for words in (" JPY ", "JPY, p50", "rental JPY"))
    assert "rental USD" not in done.output


def test_a_base_quote_cannot_be_known_without_a_service(tmp_path):
    request = REQUESTS[0].request | {
        "accounting": {"base_model": {"kind": "quote", "id": "q_" + "0" * 64}}
    }
    done = RUN.invoke(app, ["quote", file_of(tmp_path, request), "--full"])
    assert done.exit_code == 2
    assert "is not kept" in done.output


def score(path):
    done = RUN.invoke(app, ["accuracy", "--epoch", str(path), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_shared_table_is_scored_row_by_row():
    scored = score(EPOCH)
    assert scored["rows"] == scored["rows_within_half_percent"] == 33


def test_rows_of_another_file_are_scored_the_same_way_whatever_is_wrong_with_them(tmp_path):
    """Changed inputs, unknown chips, empty and mangled cells: each row is scored or says why."""
    rows = {row["model"]: row for row in csv.DictReader(EPOCH.open(encoding="utf-8"))}
    known = rows["GPT-4"]
    doubled = known | {
        "model": "twice the hours",
        "chip_hours": str(2 * float(known["chip_hours"])),
        "rerun_nominal_capex_energy_usd": str(2 * float(known["rerun_nominal_capex_energy_usd"])),
    }
    others = [
        known | {"model": "no date", "publication_date": ""},
        known | {"model": "a date in words", "publication_date": "spring"},
        known | {"model": "no chip of ours", "rerun_hardware_used": "Abacus", "hardware": "Abacus"},
        known | {"model": "before all tariffs", "publication_date": "1999-01-01"},
        known | {"model": "after all tariffs", "publication_date": "2031-01-01"},
        known | {"model": "words for numbers", "chip_hours": "many", "hardware_quantity": "nan"},
    ]
    path = tmp_path / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(known))
        writer.writeheader()
        writer.writerows([known, doubled, *others])
    scored = score(path)
    assert scored["rows"] == 2 + len(others)
    named = {gap["model"] for gap in scored["not_expressed"]}
    assert {"no date", "a date in words", "no chip of ours"} <= named
    assert "GPT-4" not in named
    errors = {(cell["model"], cell["column"]): cell["error"] for cell in scored["worst"]}
    assert ("twice the hours", "rerun_nominal_capex_energy_usd") not in errors


def test_one_file_is_scored_at_a_time():
    assert RUN.invoke(app, ["accuracy"]).exit_code == 2
    both = ["accuracy", "--epoch", str(EPOCH), "--runs", str(EPOCH)]
    done = RUN.invoke(app, both)
    assert done.exit_code == 2
    assert "name one file" in done.output


@pytest.mark.parametrize("option", ["--runs", "--steps", "--memory", "--generation"])
@pytest.mark.parametrize("line", ["{", '{"id": 1}', "\xff"])
def test_a_row_that_cannot_be_read_is_named_by_file_and_line(option, line, tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"\n" + line.encode("latin-1") + b"\n")
    done = RUN.invoke(app, ["accuracy", option, str(file), "--json"])
    assert done.exit_code == 2
    assert f"{file}, line 2: " in done.output


ONE_OF_EACH: dict[str, dict[str, object]] = {
    "--memory": {"id": "one", "outcome": "fits", "model": "llama-3.1-8b", "accelerator": "H100"},
    "--generation": {"id": "one", "model": "llama-3.1-8b", "accelerator": "H100"},
    "--runs": {"id": "one", "model": "One", "date": "2024-05", "kind": "pretraining",
               "benchmark_grade": "A", "source": [{"title": "A page", "where": "table 1"}],
               "device_hours": "1000", "total_params_b": 1, "tokens_b": 20, "accelerator": "H100"},
    "--steps": {"id": "one", "accelerator": "H100"},
}  # fmt: skip


@pytest.mark.parametrize("option", ONE_OF_EACH)
def test_lines_that_are_no_rows_are_counted_and_listed_beside_those_that_are(option, tmp_path):
    """A byte order mark is no content, a number may be a string, an id is told if there is one."""
    row = ONE_OF_EACH[option]
    unknown = row | {"accelerator": "Z9"}
    lines = [row | {"mood": 1}, {"id": "odd", "accelerator": 5}, [1], unknown]
    file = tmp_path / "rows.jsonl"
    text = "\r\n".join(["\ufeff" + json.dumps(lines[0]), *map(json.dumps, lines[1:]), '{"id":'])
    file.write_text(text, encoding="utf-8", newline="")
    done = RUN.invoke(app, ["accuracy", option, str(file), "--json"])
    assert done.exit_code == 0, done.output
    scored = json.loads(done.stdout)
    assert scored["rows"] == len(lines) + 1
    whys = {gap["id"]: gap["why"] for gap in scored["not_expressed"]}
    assert {"odd", "line 3", "line 5", "one"} <= set(whys)
    assert "array" in whys["line 3"]
    assert scored["members_ignored"] == {"mood": 1}


def test_a_table_ends_with_what_to_act_on_and_where_a_given_rate_stands(tmp_path):
    """A rate of a month comes first, with its place, the likely mistake and what to do."""
    request = json.loads(json.dumps(REQUESTS[0].request))
    request["cluster"] = {
        "accelerator": "nvidia-h100-sxm-80gb",
        "devices": 512,
        "supply": {"kind": "rate", "usd_per_device_hour": 1460.0},
    }
    done = RUN.invoke(app, ["quote", file_of(tmp_path, request), "--full"])
    said = " ".join(done.output.split())
    assert "/cluster: 1460.00 an hour is above 100% of" in said
    assert "act implausible_value /cluster/supply/usd_per_device_hour: 1,460" in said
    assert "the price of a month" in said
    assert "Check the number and its unit" in said
    assert said.index("act implausible_value") < said.index("check ") < said.index("note ")


@pytest.mark.parametrize("example", CLAIMS, ids=lambda example: example.name)
def test_every_claim_is_shown_with_its_readings_within_80_columns(example, tmp_path):
    narrow = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})
    done = narrow.invoke(app, ["claim", file_of(tmp_path, example.request)])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert max(map(len, lines)) <= 80
    judged = json.loads(claim_bytes(json.dumps(example.request).encode()))
    drawn = [line for line in lines if re.search(r"\[.*o.*\]|\|", line[26:])]
    assert len(drawn) >= len(judged["readings"])
    words = " ".join(" ".join(lines).split())
    assert judged["verdict"]["sentence"] in words
    for one in judged["not_checkable"]:
        assert f"not checkable: {one['what']}: {one['why']}" in words


def drawn_rows(request, tmp_path):
    """The lines of the picture by their label, without the label."""
    narrow = CliRunner(env={"COLUMNS": "80"})
    done = narrow.invoke(app, ["claim", file_of(tmp_path, request)])
    _, _, picture = done.output.partition("on a log axis")
    rows = itertools.takewhile(lambda line: not line.startswith("USD"), picture.splitlines()[1:])
    return {row[:26].strip(): row[26:] for row in rows}


def test_the_claim_stands_in_one_column_right_of_what_it_is_above(tmp_path):
    judged = json.loads(claim_bytes(json.dumps(CLAIMS[0].request).encode()))
    verdicts = {(one["basis"], one["scope"]): one["verdict"] for one in judged["readings"]}
    rows = drawn_rows(CLAIMS[0].request, tmp_path)
    assert len({row.index("|") for row in rows.values()}) == 1
    assert verdicts["purchase", "capital"] == "below"
    bought = rows["purchase    all devices"]
    assert bought.index("|") < bought.index("[") < bought.index("o") < bought.index("]")
    assert verdicts["owned_straight_line", "final_run"] == "within"
    owned = rows["owned       final run"]
    assert owned.index("|") < owned.index("o") < owned.index("]")


def test_an_interval_is_drawn_as_two_lines_and_a_bound_as_one(tmp_path):
    between = CLAIMS[0].request | {"amount": {"low": 2e5, "high": 4e6}}
    at_least = CLAIMS[0].request | {"bound": "at_least"}
    assert {row.count("|") for row in drawn_rows(between, tmp_path).values()} == {2}
    assert {row.count("|") for row in drawn_rows(at_least, tmp_path).values()} == {1}


def test_a_claim_in_json_is_what_the_service_answers(tmp_path):
    request = CLAIMS[0].request
    done = RUN.invoke(app, ["claim", file_of(tmp_path, request), "--format", "json"])
    assert done.stdout_bytes == claim_bytes(json.dumps(request).encode())


def test_a_claim_that_cannot_be_read_is_refused_with_its_pointers(tmp_path):
    wrong = CLAIMS[0].request | {"said_on": "soon", "what": {"kind": "runs", "ids": ["a\nrun"]}}
    done = RUN.invoke(app, ["claim", file_of(tmp_path, wrong)])
    assert done.exit_code == 2
    assert "/said_on" in done.output
    assert "/what/ids/0" in done.output


def test_certificates_that_cannot_be_read_stop_the_start_with_their_name(tmp_path):
    url = f"rediss://localhost?ssl_ca_certs={tmp_path}/absent.pem"
    outcome = subprocess.run(
        [sys.executable, "-m", "service.cli", "serve"],
        env=os.environ | {"RUNQUOTE_REDIS_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.returncode == 2
    assert "certificates" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_offers_are_listed_by_place_size_and_price():
    listed = RUN.invoke(
        app,
        [
            *("catalog", "list", "offers", "--format", "lines", "--sort", "price_per_device_hour"),
            *(
                "--accelerator",
                "nvidia-h100-sxm-80gb",
                "--country",
                "europe",
                "--kind",
                "on_demand",
            ),
            *("--devices", "64", "--since", "2026-07-01"),
        ],
    )
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert rows
    assert {row["price_kind"] for row in rows} == {"on_demand"}
    assert all(row["observed_on"] >= "2026-07" for row in rows)
    assert rows[0]["provider"] == "gcore"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("offers", "--country", "germny"), "germany"),
        (("offers", "--sort", "price"), "sort"),
        (("models", "--country", "de"), "country"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(arguments, words):
    refused = RUN.invoke(app, ["catalog", "list", *arguments])
    assert refused.exit_code == 2
    assert words in refused.stderr


def test_a_folder_of_editions_that_is_not_there_is_said(tmp_path):
    refused = RUN.invoke(app, ["catalog", "list", "sites", "--catalog-dir", str(tmp_path / "none")])
    assert refused.exit_code == 1
    assert "none" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_service_does_not_start_without_its_folder_of_editions_and_says_which(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "service", "serve"],
        env=os.environ | {"RUNQUOTE_CATALOG_DIR": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 2
    assert str(tmp_path / "none") in done.stderr.replace("\n", "")
    assert "Traceback" not in done.stderr


def test_a_summary_comes_first_and_no_number_is_cut_in_a_narrow_pipe(tmp_path):
    """The totals stand in the first lines as the JSON has them; --full adds the lines."""
    request = REQUESTS[0].request
    answer = json.loads(quote_bytes(json.dumps(request).encode()))
    narrow = CliRunner(env={"COLUMNS": "40", "NO_COLOR": "1"})
    for options in ([], ["--full"]):
        done = narrow.invoke(app, ["quote", file_of(tmp_path, request), *options])
        assert done.exit_code == 0
        assert "…" not in done.output
        assert "\x1b" not in done.output
        for bill in answer["bases"]:
            assert f"{float(bill['total']['amount']):,.2f}" in done.output
    short = narrow.invoke(app, ["quote", file_of(tmp_path, request)]).output
    assert short.startswith("DeepSeek-R1: $294,000.00 rented; 512 × nvidia-h800-sxm-80gb, 147,000")
    assert short.count("software licences") == 1
    assert "check wide_interval" in short
    assert len(short.splitlines()) < 20


@pytest.mark.parametrize("form", ["html", "csv", "csv-excel", "xlsx", "md", "summary"])
def test_a_quote_is_written_as_a_file(form, tmp_path):
    target = tmp_path / "quote"
    file = file_of(tmp_path, REQUESTS[0].request)
    options = ["--format", form, "--output", str(target), "--title", "Offer 7", "--buyer", "ACME"]
    done = RUN.invoke(app, ["quote", file, *options])
    assert (done.exit_code, done.output) == (0, "")
    content = target.read_bytes()
    assert (
        content.startswith(b"PK")
        if form == "xlsx"
        else b"202000.00" in content or b"294" in content
    )
    if form in {"html", "md", "csv"}:
        assert b"Offer 7" in content


def test_a_pdf_needs_a_browser_and_says_how_else(tmp_path):
    file = file_of(tmp_path, REQUESTS[0].request)
    bare = CliRunner(env={"PATH": str(tmp_path)})
    done = bare.invoke(app, ["quote", file, "--format", "pdf"])
    assert done.exit_code == 1
    assert "open the page of --format html" in " ".join(done.output.split())
    printer = tmp_path / "chromium"
    printer.write_text(
        '#!/bin/sh\nfor o in "$@"; do case $o in --print-to-pdf=*) '
        'printf %%PDF-1 > "${o#*=}";; esac; done\n'
    )
    printer.chmod(0o755)
    found = CliRunner(env={"PATH": f"{tmp_path}:/bin:/usr/bin", "RUNQUOTE_BROWSER": str(printer)})
    assert found.invoke(app, ["quote", file, "--format", "pdf"]).stdout_bytes == b"%PDF-1"


def test_a_row_of_the_catalog_is_shown_with_its_sources():
    shown = RUN.invoke(app, ["catalog", "show", "nvidia-h100-sxm-80gb"])
    assert shown.exit_code == 0
    assert "accelerators: nvidia-h100-sxm-80gb" in shown.output
    assert "https://" in shown.output
    as_json = RUN.invoke(app, ["catalog", "show", "nvidia-h100-sxm-80gb", "--format", "json"])
    assert json.loads(as_json.stdout)["id"] == "nvidia-h100-sxm-80gb"
    lost = RUN.invoke(app, ["catalog", "show", "nvidia-h100-sxm-80g"])
    assert lost.exit_code == 2
    assert "nvidia-h100-sxm-80gb" in lost.output


def test_a_plan_says_what_it_is_for_and_that_nothing_fits():
    """70 billion parameters do not fit on one device of 80 GB."""
    options = ["--model", "llama-3.1-70b", "--accelerator", "nvidia-h100-sxm-80gb"]
    done = RUN.invoke(app, ["plan", *options, "--devices", "1", "--tokens", "2T"])
    assert "planned for tokens 2,000,000,000,000, sequence_length 4,096" in done.output
    assert done.exit_code == 3


def test_the_version_and_the_exit_statuses_are_told():
    assert re.fullmatch(r"runquote \d+\.\d+\.\d+\n", RUN.invoke(app, ["--version"]).output)
    told = RUN.invoke(app, ["--help"]).output
    assert "3 nothing fits" in told
    assert "--install-completion" in told
