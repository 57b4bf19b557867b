#!/usr/bin/env python3
"""What is shown and published of findings: report.py show|publish|page LOCKSTEP CORPUS.

show     `lockstep show` of a finding, of hostile ones and of broken ones
publish  SARIF and JUnit's XML, by the main constraints of their schemas
page     the page of `lockstep report` in a headless Chromium: skipped (77) where there is none
"""
import glob
import json
import os
import pty
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

what, lockstep, corpus = sys.argv[1:]
lockstep, corpus = os.path.abspath(lockstep), os.path.abspath(corpus)
HOSTILE = "</script><img src=x onerror=alert(1)>&\"'`\x1b[31m\x07"
# As it stands in a JSON document that another program has written badly.
HOSTILE_BYTES = b"\xff\xc0\x80\xed\xa0\x80"


def run(*words, status=0, **environment):
    variables = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    done = subprocess.run([lockstep, *words], capture_output=True, timeout=120, env={**variables, **environment})
    said = (done.stdout + done.stderr).decode(errors="surrogateescape")
    assert done.returncode == status, f"{words}: exit status {done.returncode}, expected {status}\n{said}"
    return done.stdout if status == 0 or status == 1 else done.stderr


def expect(text, *parts):
    for part in parts:
        assert part in text, f"there is no {part!r} in\n{text}"


def on_terminal(*words, **environment):
    """What a command prints on a terminal."""
    main, terminal = pty.openpty()
    process = subprocess.Popen([lockstep, *words], stdout=terminal, env={**os.environ, **environment})
    os.close(terminal)
    text = b""
    while True:
        try:
            part = os.read(main, 1 << 16)
        except OSError:
            break
        if not part:
            break
        text += part
    os.close(main)
    assert process.wait() == 0
    return text.decode()


def is_tame(output):
    """Nothing in it can drive a terminal."""
    text = output.decode()  # raises where it is no UTF-8
    return not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


def keep_finding(name, empty):
    run("check", f"{corpus}/known/{name}.c", "--known", empty, "--out", "kept", status=1)
    (folder,) = glob.glob("kept/*")
    return folder


def change_document(folder, change):
    path = f"{folder}/finding.json"
    with open(path) as file:
        document = json.load(file)
    change(document)
    with open(path, "w") as file:
        json.dump(document, file)


# ---- show ----


def test_show(empty):
    folder = keep_finding("block-in-front-of-loop", empty)
    text = run("show", folder).decode()
    expect(text, "location in main at block-in-front-of-loop.c:8:11", " >      8 |     count += 2;",
           "native", "wasm", "DWARF of native (native.so)", "DWARF of wasm (program.wasm)", "is_stmt",
           "main at block-in-front-of-loop.c:8:11      -", "Call stack", "#0", folder + "/reproduce")
    assert run("show", f"{folder}/finding.json").decode() == text
    assert is_tame(text.encode())

    # Terminals get colours, unless somebody asks for none.
    assert "\x1b[" in on_terminal("show", folder, TERM="xterm", NO_COLOR="")
    assert "\x1b[" not in on_terminal("show", folder, TERM="xterm", NO_COLOR="1")
    assert "\x1b[" not in on_terminal("show", folder, TERM="dumb", NO_COLOR="")
    for columns in (60, 140):
        lines = run("show", folder, COLUMNS=str(columns)).decode().splitlines()
        table = [line for line in lines if line.startswith("  ") and " | " not in line]
        assert max(map(len, table)) <= columns, max(table, key=len)

    issue = run("show", "--issue", folder).decode()
    expect(issue, "#### Program", "```c", "count += 2;", "--target=wasm32-wasi", "llvm-dwarfdump-19 --debug-line program.wasm",
           "#### Expected", "#### Versions", "clang version")
    again = subprocess.run([f"{folder}/reproduce", "--known", empty], capture_output=True, env={**os.environ, "LOCKSTEP": lockstep})
    expect(again.stdout.decode(), "location in main at program.c:8:11")

    # The reduced program, where there is one.
    os.mkdir(f"{folder}/reduced")
    for name in os.listdir(folder):
        if os.path.isfile(f"{folder}/{name}"):
            shutil.copy(f"{folder}/{name}", f"{folder}/reduced")
    with open(f"{folder}/reduced/program.c", "w") as file:
        file.write("int reduced;\n")
    expect(run("show", folder).decode(), folder + "/reduced")
    expect(run("show", "--issue", folder).decode(), "int reduced;")
    shutil.rmtree(f"{folder}/reduced")
    return folder


def follow(folder, issue):
    """What the commands of an issue's text print in a folder with nothing but the program."""
    (commands,) = re.findall("^```sh\n(.*?)^```", issue, re.DOTALL | re.MULTILINE)
    assert "lockstep" not in commands, commands
    os.mkdir("fresh")
    shutil.copy(f"{folder}/program.c", "fresh")
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd="fresh", capture_output=True, timeout=120)
    shutil.rmtree("fresh")
    assert done.returncode == 0, commands + done.stderr.decode()
    return done.stdout.decode()


def test_issue(empty):
    """Others see what we saw, with the commands that the text has."""
    def text_of(name, *options):
        shutil.rmtree("kept")
        run("check", f"{corpus}/known/{name}.c", "--known", empty, "--out", "kept", *options, status=1)
        folder = sorted(glob.glob("kept/*"))[0]
        issue = run("show", "--issue", folder).decode()
        return issue, follow(folder, issue)

    issue, seen = text_of("returned-local-before-declaration")
    expect(issue, "- native: `(unassigned)`", "- wasm: `optimized_out`", "linker: `GNU ld", "linker: `Debian LLD")
    expect(seen, "DW_AT_location	(DW_OP_fbreg -8)", " at ./program.c:18", "$1 = {a = ", "): DW_OP_WASM_location 0x0 0x0")

    issue, seen = text_of("block-in-front-of-loop")
    expect(issue, "native: `main at block-in-front-of-loop.c:8:11", "wasm: `main at block-in-front-of-loop.c:9:11")
    expect(seen, "main () at ./program.c:8", "is_stmt", "| ")

    issue, seen = text_of("unused-aggregate-parameter")
    expect(issue, "wasm: `absent`")
    expect(seen, "DW_TAG_formal_parameter", "function (first=", 'DW_AT_name	("function")')
    assert seen.count("DW_TAG_formal_parameter") == 1, seen

    issue, seen = text_of("wasm-opt-renumbers-locals", "--self", "--wasm-opt", "--coalesce-locals")
    expect(issue, "wasm-opt -g --coalesce-locals program.wasm -o program.wasm", "wasm-opt version")
    assert "native.so" not in issue
    expect(seen, "DW_AT_location	(DW_OP_fbreg", "DW_AT_frame_base")


def test_hostile_show(folder):
    shutil.copytree(folder, "hostile")
    with open("hostile/program.c", "rb") as file:
        lines = file.read().split(b"\n")
    lines[7] = HOSTILE.encode() + HOSTILE_BYTES + b"````\t\xc2\x9b31m"
    with open("hostile/program.c", "wb") as file:
        file.write(b"\n".join(lines))

    def change(document):
        finding = document["finding"]
        finding["variable"] = finding["function"] = finding["detail"] = finding["blame"] = HOSTILE
        document["tools"] = {HOSTILE: HOSTILE + "\n# heading ``` "}
        document["commands"] = [HOSTILE + "```", 7, None]
        document["artifacts"] = {HOSTILE: HOSTILE, "native": 5}
        for witness in finding["witnesses"]:
            witness.update(value=HOSTILE, reason=HOSTILE, dwarf=HOSTILE, words=HOSTILE, die=1 << 60, pc=-5, stop_at=10**30)
            for place in witness["stops"] + witness["stack"]:
                place["function"] = HOSTILE
        finding["witnesses"] *= 4
        finding["witnesses"][0]["stops"] = [{}] * 100000
        document["also"] = [finding, finding, 7, None]

    change_document("hostile", change)
    assert is_tame(run("show", "hostile"))
    issue = run("show", "--issue", "hostile")
    assert is_tame(issue)
    expect(issue.decode(), "`````c")  # a fence longer than what is in the program
    expect(issue.decode(), "```` ")   # and a longer span


def test_broken_show(folder, empty):
    expect(run("show", status=2).decode(), "needs one finding")
    expect(run("show", "nowhere", status=2).decode(), "nowhere: there is no such folder or file")
    expect(run("show", empty, status=2).decode(), "is no finding's folder")
    expect(run("show", "/dev/null", status=2).decode(), "there is no such")
    with open(f"{folder}/finding.json", "rb") as file:
        document = file.read()
    shutil.copytree(folder, "broken")
    for size in [0, 1, *range(2, len(document) - 1, len(document) // 40)]:
        with open("broken/finding.json", "wb") as file:
            file.write(document[:size])
        expect(run("show", "broken", status=2).decode(), "finding.json: ")
    for text in ("[]", "{}", '{"finding": []}', '{"finding": {"kind": "value"}}',
                 '{"finding": {"kind": 1, "signature": "s", "witnesses": []}}'):
        with open("broken/finding.json", "w") as file:
            file.write(text)
        expect(run("show", "broken", status=2).decode(), "finding.json: ")
    with open("broken/finding.json", "w") as file:
        file.write('{"finding": {"kind": "k", "signature": "s", "witnesses": []}}')
    expect(run("show", "broken").decode(), "signature     s")
    expect(run("show", "--issue", "broken").decode(), "#### Versions")
    # Artifacts that are not there, or are something else.
    with open("broken/finding.json", "wb") as file:
        file.write(document)
    shutil.copy("broken/program.wasm", "broken/native.so")
    with open("broken/program.wasm", "r+b") as file:
        file.truncate(100)
    text = run("show", "broken").decode()
    expect(text, "DWARF of native (native.so)", "DWARF of wasm (program.wasm)")
    os.remove("broken/native.so")
    os.remove("broken/program.c")
    expect(run("show", "broken").decode(), "the source is not kept with the finding", "native.so")


# ---- Campaigns ----


def make_campaign(empty):
    """Two programs with a finding each."""
    for seed in ("20", "12"):
        run("fuzz", "--seeds", seed, "--jobs", "1", "--known", empty, "--out", "campaign", status=1)
    return "campaign"


def copy_campaign(name):
    shutil.copytree("campaign", name)
    return sqlite3.connect(f"{name}/campaign.sqlite")


def add_signatures(database, count):
    """Findings of the first program with made-up signatures."""
    run_, seed, document = database.execute("SELECT run, seed, document FROM findings").fetchone()
    for i in range(count):
        (signature,) = database.execute("INSERT INTO signatures (text, known) VALUES (?, '') RETURNING id", (f"made/up/{i}",)).fetchone()
        database.execute("INSERT INTO findings VALUES (?, ?, ?, ?, 'value', 'f', 'program.c', 3, 'v', 1, ?)",
                         (run_, seed, 1000 + i, signature, document))


def make_hostile(database):
    text = HOSTILE.encode() + HOSTILE_BYTES
    database.execute("UPDATE signatures SET text = CAST(? AS TEXT) WHERE id = 1", (text,))
    database.execute("UPDATE signatures SET known = CAST(? AS TEXT), folder = CAST(? AS TEXT) WHERE id = 2", (text, text))
    database.execute("UPDATE sources SET text = CAST(? AS TEXT)", (b"int a;\n" * 5 + text * 3 + b"\n" + b"x" * 5000,))
    database.execute("UPDATE tools SET version = CAST(? AS TEXT)", (text,))
    for row in database.execute("SELECT run, seed, number, document FROM findings").fetchall():
        finding = json.loads(row[3])
        finding.update(kind=HOSTILE, function=HOSTILE, variable=HOSTILE, detail=HOSTILE, line=6)
        for witness in finding["witnesses"]:
            witness.update(name=HOSTILE, value=HOSTILE, dwarf=HOSTILE, words=HOSTILE)
            for place in witness["stops"] + witness["stack"]:
                place.update(function=HOSTILE, file=HOSTILE)
        database.execute("UPDATE findings SET document = ? WHERE run = ? AND seed = ? AND number = ?",
                         (json.dumps(finding), *row[:3]))


# ---- publish ----


def check_sarif(path):
    with open(path, "rb") as file:
        document = json.loads(file.read().decode())
    assert document["version"] == "2.1.0" and "$schema" in document
    (sarif_run,) = document["runs"]
    driver = sarif_run["tool"]["driver"]
    assert driver["name"] == "Lockstep"
    rules = [rule["id"] for rule in driver["rules"]]
    assert len(set(rules)) == len(rules)
    for result in sarif_run["results"]:
        assert result["ruleId"] == rules[result["ruleIndex"]]
        assert result["level"] in ("error", "note")
        assert result["message"]["text"]
        for location in result["locations"]:
            physical = location["physicalLocation"]
            assert re.fullmatch(r"[A-Za-z0-9._~:/%-]+", physical["artifactLocation"]["uri"])
            region = physical.get("region")
            assert region is None or region["startLine"] >= 1 and region.get("startColumn", 1) >= 1
        for suppression in result.get("suppressions", []):
            assert suppression["kind"] == "external"
    return sarif_run


def check_junit(path):
    root = xml.etree.ElementTree.parse(path).getroot()
    assert root.tag == "testsuites"
    (suite,) = root
    cases = suite.findall("testcase")
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(name)) == sum(case.find(tag) is not None for case in cases), name
    assert int(suite.get("tests")) == len(cases)
    assert all(case.get("name") and case.get("classname") and float(case.get("time")) >= 0 for case in cases)
    return cases


def test_publish(empty):
    program = f"{corpus}/known/block-in-front-of-loop.c"
    run("check", program, "--sarif", "a.sarif", "--junit", "a.xml")
    (result,) = check_sarif("a.sarif")["results"]
    assert result["level"] == "note" and result["suppressions"][0]["justification"] == "block-in-front-of-loop"
    (case,) = check_junit("a.xml")
    assert case.find("failure") is None and "known as" in case.find("system-out").text
    run("check", program, "--known", empty, "--sarif", "b.sarif", "--junit", "b.xml", status=1)
    (result,) = check_sarif("b.sarif")["results"]
    region = result["locations"][0]["physicalLocation"]["region"]
    assert result["level"] == "error" and region == {"startLine": 8, "startColumn": 11}
    (case,) = check_junit("b.xml")
    assert case.find("failure").get("message") == result["ruleId"] == "location/only-first"

    run("fuzz", "--seeds", "20-21", "--jobs", "1", "--known", empty, "--sarif", "f.sarif", "--junit", "f.xml", status=1)
    assert len(check_sarif("f.sarif")["results"]) == 1
    assert [case.find("failure") is not None for case in check_junit("f.xml")] == [True, False]

    campaign = make_campaign(empty)
    run("report", campaign, "--sarif", "c.sarif", "--junit", "c.xml")
    results = check_sarif("c.sarif")["results"]
    assert sorted(result["properties"]["seed"] for result in results) == [12, 20]
    for result in results:  # each has its program beside it
        assert os.path.exists(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
    assert [case.get("name") for case in check_junit("c.xml")] == ["seed 12", "seed 20"]

    with copy_campaign("hostile") as database:
        make_hostile(database)
    run("report", "hostile", "--sarif", "h.sarif", "--junit", "h.xml")
    assert len(check_sarif("h.sarif")["results"]) == 2
    assert check_junit("h.xml")[0].find("failure").get("type").startswith("</script><img")
    with copy_campaign("many") as database:
        add_signatures(database, 6000)
    run("report", "many", "--sarif", "m.sarif", "--junit", "m.xml")
    sarif = check_sarif("m.sarif")
    assert len(sarif["results"]) == 5000 and sarif["properties"]["resultsLeftOut"] == 1002
    check_junit("m.xml")

    # What is no campaign.
    expect(run("report", status=2).decode(), "needs one campaign")
    expect(run("report", campaign, status=2).decode(), "what is to be written?")
    run("report", "nowhere", "-o", "x.html", status=2)
    run("report", empty, "-o", "x.html", status=2)
    os.mkdir("garbage")
    with open("garbage/campaign.sqlite", "w") as file:
        file.write("no database" * 1000)
    run("report", "garbage", "-o", "x.html", status=2)
    with open("campaign/campaign.sqlite", "rb") as whole, open("garbage/campaign.sqlite", "wb") as part:
        part.write(whole.read(10000))
    run("report", "garbage", "-o", "x.html", status=2)
    run("report", campaign, "-o", "nowhere/x.html", status=2)
    assert not os.path.exists("x.html")


# ---- page ----


def check_keyboard(browser, count):
    focused = "document.activeElement.closest('.signature')"
    index = f"[...document.querySelectorAll('.signature')].indexOf({focused})"
    visible = "document.querySelectorAll('.signature:not([hidden])').length"
    browser.key("ArrowDown")
    assert browser.ask(index) == 0
    browser.key("ArrowDown")
    assert browser.ask(index) == 1
    browser.key("j")
    assert browser.ask(index) == min(2, count - 1)
    browser.key("ArrowUp")
    browser.key("k")
    browser.key("k")
    assert browser.ask(index) == 0
    browser.key("Enter")
    assert browser.ask(f"{focused}.open") is True
    assert browser.ask(f"{focused}.querySelector('svg').getBoundingClientRect().height > 50")
    # From the summary on, Tab goes through what is in it.
    browser.key("Tab")
    assert browser.ask(index) == 0 and browser.ask("document.activeElement.tagName") != "SUMMARY"
    browser.key("Escape")
    assert browser.ask(f"{focused}.open") is False and browser.ask("document.activeElement.tagName") == "SUMMARY"
    browser.key("/")
    assert browser.ask("document.activeElement.id") == "filter"
    browser.type("scope/")
    assert browser.ask("document.getElementById('filter').value") == "scope/"
    assert browser.ask(visible) == 1
    expect(browser.ask("document.getElementById('shown').textContent"), f"1 of {count}")
    browser.key("Enter")
    expect(browser.ask("document.activeElement.textContent"), "scope/")
    browser.key("/")
    browser.type("nothing has this")
    assert browser.ask(visible) == 0
    browser.key("Escape")
    assert browser.ask(visible) == count and browser.ask("document.getElementById('filter').value") == ""


def tile(browser, name):
    return browser.ask(f"[...document.querySelectorAll('.tile')].find(t => t.querySelector('dt').textContent === '{name}')"
                       ".querySelector('dd').textContent")


def ground(browser):
    return browser.ask("getComputedStyle(document.body).backgroundColor")


def test_page(empty):
    from browser import Browser

    make_campaign(empty)
    run("report", "campaign", "-o", "campaign.html")
    database = sqlite3.connect("campaign/campaign.sqlite")
    stops, values = database.execute("SELECT sum(stops), sum(compared) FROM programs").fetchone()
    with copy_campaign("hostile") as changed:
        make_hostile(changed)
    with copy_campaign("many") as changed:
        add_signatures(changed, 10000)
        changed.execute("UPDATE programs SET stops = 1234567890, compared = 12345678901")
    with copy_campaign("empty") as changed:
        changed.executescript("DELETE FROM findings; DELETE FROM sources; DELETE FROM programs; DELETE FROM signatures;")
    with copy_campaign("whole") as changed:  # findings as an older session may have left them: without their stops
        for row in changed.execute("SELECT run, seed, number, document FROM findings").fetchall():
            finding = json.loads(row[3])
            finding["witnesses"] = [{"name": witness["name"], "state": "absent"} for witness in finding["witnesses"]]
            changed.execute("UPDATE findings SET document = ? WHERE run = ? AND seed = ? AND number = ?",
                            (json.dumps(finding), *row[:3]))
    for name in ("hostile", "many", "empty", "whole"):
        run("report", name, "-o", f"{name}.html")
    assert os.path.getsize("many.html") < 10 << 20

    browser = Browser(chromium)
    try:
        browser.open("campaign.html")
        assert tile(browser, "programs") == "2" and tile(browser, "unexplained signatures") == "2"
        assert tile(browser, "stops compared") == f"{stops:,}" and tile(browser, "values compared") == f"{values:,}"
        assert browser.ask("document.querySelectorAll('figure svg').length") >= 6
        expect(browser.ask("document.body.textContent"), "location/only-first", "first seed 20", "lockstep show campaign/")
        assert browser.ask("document.querySelectorAll('.row.here').length") >= 1
        assert browser.ask("document.querySelectorAll('.stop.alone').length") >= 1
        check_keyboard(browser, 2)
        light = ground(browser)
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        assert ground(browser) != light
        browser.call("Emulation.setEmulatedMedia", media="print")
        assert ground(browser) == "rgb(255, 255, 255)"
        browser.call("Emulation.setEmulatedMedia", media="", features=[])
        # On a telephone nothing makes the page wider than it is.
        browser.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=False)
        browser.ask("document.querySelectorAll('details').forEach(item => { item.open = true; })")
        assert browser.ask("document.documentElement.scrollWidth") <= 360
        browser.call("Emulation.clearDeviceMetricsOverride")
        if "LOCKSTEP_SCREENSHOT" in os.environ:
            import base64
            image = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
            with open(os.environ["LOCKSTEP_SCREENSHOT"], "wb") as file:
                file.write(base64.b64decode(image["data"]))

        browser.open("hostile.html")
        assert browser.ask("document.querySelectorAll('img').length") == 0
        assert browser.ask("document.querySelectorAll('script').length") == 1
        expect(browser.ask("document.body.textContent"), "</script><img src=x onerror=alert(1)>")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", open("hostile.html", encoding="utf-8").read())
        browser.open("many.html")
        assert browser.ask("document.querySelectorAll('.signature').length") == 1000
        assert browser.ask("document.querySelectorAll('details.signature').length") == 100
        expect(browser.ask("document.body.textContent"), "9,002 more are in the database alone")
        # Large numbers stay within their tiles, and those of axes within their plots.
        assert browser.ask("[...document.querySelectorAll('.tile')].filter(t => t.scrollWidth > t.clientWidth).length") == 0
        assert browser.ask("[...document.querySelectorAll('figure text')].filter(t => t.getBoundingClientRect().right > "
                           "t.closest('figure').getBoundingClientRect().right).length") == 0
        browser.open("empty.html")
        expect(browser.ask("document.body.textContent"), "No program has been checked yet", "None: no program showed a difference")
        browser.open("whole.html")
        assert browser.ask("document.querySelectorAll('.stop').length") == 0
        assert browser.problems == [], browser.problems
        pages = [request for request in browser.requests if not request.endswith(".html")]
        assert pages == [], pages
    finally:
        browser.close()


chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if what == "page" and not chromium:
    print("There is no chromium: install the package chromium to have the report's page tested")
    sys.exit(77)
with tempfile.TemporaryDirectory() as temporary:
    sys.dont_write_bytecode = True
    os.chdir(temporary)
    os.mkdir("none")
    nothing = os.path.abspath("none")
    if what == "show":
        finding = test_show(nothing)
        test_hostile_show(finding)
        test_broken_show(finding, nothing)
        test_issue(nothing)
    elif what == "publish":
        test_publish(nothing)
    else:
        test_page(nothing)
