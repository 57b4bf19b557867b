"""Campaigns that are stopped, resumed and merged have what one that was left alone has; what is no campaign is refused.

Usage: campaign.py LOCKSTEP
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

LOCKSTEP = str(pathlib.Path(sys.argv[1]).resolve())
SEEDS = 8
SHARE = int(os.environ.get("LOCKSTEP_SHARE", "1"))
# Optimised programs differ often, and small ones take little time; a loaded machine must not change a verdict.
FLAGS = ["--opt", "-O1", "--stops", "300", "--csmith", "--max-funcs 2 --max-block-depth 2", "--time-limit", "60s",
         "--known", "known"]
DEFECT = {"compilers": ["*clang*"], "reason": "made up", "evidence": "none", "reproducer": "none.c"}
KNOWN = {
    "shows": {"signatures": ["location/only-second"], "shown_by": [{"compiler": "*", "opt": "-O1", "seeds": [1, 2]}]},
    "gone": {"signatures": ["scope/never"], "shown_by": [{"compiler": "*", "opt": "-O1", "seeds": [2, 3, 99]}]},
    "elsewhere": {"signatures": ["scope/never"], "shown_by": [{"compiler": "*", "opt": "-O2", "seeds": [2]}]},
}
# What does not depend on when, and by whom, a program was done.
CONTENT = {
    "programs": "SELECT seed, verdict, reason, file, size, stops, compared, unchanged, repeats, steps, events, limited"
                " FROM programs ORDER BY seed",
    "findings": "SELECT seed, number, text, known, kind, function, file, line, variable, stop, document"
                " FROM findings JOIN signatures ON id = signature ORDER BY seed, number",
    "signatures": "SELECT text, known, folder, kind, findings, programs, first_seed FROM signature_counts"
                  " ORDER BY text, known",
    "smallest": "SELECT text, known, seed, size FROM signature_smallest JOIN signatures ON id = signature"
                " ORDER BY text, known",
    "sources": "SELECT seed, text FROM sources ORDER BY seed",
    "runs": "SELECT identity FROM runs ORDER BY identity",
    "flags": "SELECT name, value FROM flags ORDER BY name, value",
    "tools": "SELECT name, version FROM tools ORDER BY name, version",
    "gone": "SELECT defect, seed FROM gone ORDER BY defect, seed",
}


def database(folder):
    return contextlib.closing(sqlite3.connect(folder / "campaign.sqlite", timeout=20))


def select(folder, sql):
    with database(folder) as connection:
        return connection.execute(sql).fetchall()


def content(folder):
    tables = {name: select(folder, sql) for name, sql in CONTENT.items()}
    # Optimised code shows variables that nobody has assigned yet, with whatever lies there.
    tables["findings"] = [(*row[:-1], re.sub('"value":"[^"]*"', '"value":""', row[-1])
                           if row[4] in ("optimized_out", "irretrievable") else row[-1]) for row in tables["findings"]]
    return tables


def change(folder, *statements):
    """Changes the database behind Lockstep's back."""
    with database(folder) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def start(*words):
    return subprocess.Popen([LOCKSTEP, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run(expected, *words):
    done = subprocess.run([LOCKSTEP, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == expected, f"{words}: exit status {done.returncode}, not {expected}\n{done.stdout}"
    return done.stdout


def expect(expected, text, *words):
    output = run(expected, *words)
    assert text in output, f"{words}: '{text}' is not in\n{output}"


def same(got, wanted, what):
    for name in wanted:
        assert got[name] == wanted[name], f"{what}: {name}\n{got[name]}\nis not\n{wanted[name]}"


def check_folders(folder, is_over):
    """Each finding's folder is whole, and nothing else is left."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.name.startswith("."):
            json.loads((entry / "finding.json").read_text())
            assert (entry / "reproduce").stat().st_mode & 0o100 and (entry / "program.c").stat().st_size > 0, entry
        else:
            assert entry.name.startswith("campaign.sqlite") or not is_over, f"{entry} is left over"
    named = {name for (name,) in select(folder, "SELECT folder FROM signatures WHERE folder IS NOT NULL")}
    there = {entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")}
    assert named <= there and (named == there or not is_over), f"{folder}: {named} and {there}"


def programs(folder):
    """How many are in the database; 0 while there is none."""
    try:
        return select(folder, "SELECT count(*) FROM programs")[0][0] if (folder / "campaign.sqlite").exists() else 0
    except sqlite3.OperationalError:
        return 0


def findings(folder):
    return len([entry for entry in folder.glob("*") if entry.is_dir()])


def mappings_of_children(pid):
    """What each child of the process has mapped; one that has just ended has nothing."""
    found = []
    with contextlib.suppress(OSError):
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                found.append(pathlib.Path(f"/proc/{child}/maps").read_text())
    return found


def test_gone(folder):
    """Of two known defects that seeds are to show, the one that they do not is told, after a resume too."""
    gone = "known defect that no longer shows: gone, with 2 seeds, of which 2 is the first"
    words = [["--opt", "-O1", "--time-limit", "60s", "--known", "known", "--seeds", "1-3", "--out", folder], ["--resume", folder]]
    for of_run in words:
        output = run(1, "fuzz", *of_run)
        assert gone in output and output.count("no longer shows") == 1, output
    assert select(folder, CONTENT["gone"]) == [("gone", 2), ("gone", 3)]


def test_kills(whole, killed):
    """Kills a campaign at many moments, one in LOCKSTEP_SHARE of them, and lets it end at last."""
    moments = [
        ("at once", lambda: time.sleep(0.02) or True),
        ("when there is a file", lambda: (killed / "campaign.sqlite").exists()),
        ("when there is a folder", lambda: findings(killed) > 0),
        ("with a program", lambda: programs(killed) > 0),
        ("with three", lambda: programs(killed) > 2),
        ("with more folders", lambda: findings(killed) > 4 or programs(killed) > 6),
        ("a while later", lambda: time.sleep(1) or True),
    ]
    for moment, is_reached in moments if SHARE == 1 else moments[3::SHARE]:
        is_begun = (killed / "campaign.sqlite").exists() and programs(killed) > 0
        words = ["--resume", killed] if is_begun else [*FLAGS, "--seeds", f"1-{SEEDS}", "--out", killed]
        before = programs(killed)
        process = start("fuzz", *words)
        while not is_reached() and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        process.communicate()
        assert programs(killed) >= before, f"killed {moment}: programs are lost"
        if is_begun:
            assert select(killed, "PRAGMA integrity_check") == [("ok",)], moment
            check_folders(killed, is_over=False)
    # What a kill leaves of a folder that it interrupts.
    for (name,) in select(whole, "SELECT folder FROM signatures"):
        if not (killed / name).exists():
            (killed / f".{name}.partial").mkdir(exist_ok=True)
            (killed / f".{name}.partial" / "program.c").write_text("half a prog")
    run(1, "fuzz", "--resume", killed)
    assert select(killed, "SELECT count(*) FROM sessions WHERE ended IS NULL")[0][0] > 0, "nothing was killed"
    same(content(killed), content(whole), "killed and resumed")
    check_folders(killed, is_over=True)


def test_interrupt(whole, folder):
    """Ctrl-C ends a session in order; while it runs nobody else may write, and anybody read."""
    process = start("fuzz", *FLAGS, "--seeds", f"1-{SEEDS}", "--out", folder, "--jobs", "1")
    workers = []
    while programs(folder) == 0 and process.poll() is None:
        workers += mappings_of_children(process.pid)
        time.sleep(0.01)
    # A worker's debuggee may write anywhere, but not into the database's memory.
    assert workers and not any("sqlite-shm" in maps for maps in workers)
    expect(2, "another campaign is running in", "fuzz", "--resume", folder)
    run(0, "merge", folder, "-o", folder.with_name("merged-meanwhile"))
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert select(folder, "SELECT count(*) FROM sessions WHERE ended IS NULL") == [(0,)]
    done = programs(folder)
    expect(1, f"{done} of the programs were done before", "fuzz", *FLAGS, "--seeds", f"1-{SEEDS}", "--out", folder)
    same(content(folder), content(whole), "interrupted and resumed")


def test_refusals(whole, work):
    copy = work / "refused"
    shutil.copytree(whole, copy)
    expect(2, "--cc is 'clang-19' there and 'clang-14' here", "fuzz", *FLAGS, "--cc", "clang-14", "--out", copy)
    expect(2, "the campaign's --opt is '-O1', not '-O0'", "fuzz", "--resume", copy, "--opt", "-O0")
    expect(2, "the campaign is without --replay", "fuzz", "--resume", copy, "--replay")
    change(copy, "UPDATE tools SET version = 'csmith 1' WHERE name = 'csmith'",
           "UPDATE runs SET identity = identity || 'older'")
    expect(2, "csmith is 'csmith 1' there and 'csmith", "fuzz", "--resume", copy)
    expect(2, "there is no campaign", "fuzz", "--resume", work)
    expect(2, "--resume names the campaign's folder", "fuzz", "--resume", copy, "--out", copy)

    file = copy / "campaign.sqlite"
    bytes_of = file.read_bytes()
    damages = {
        "is no SQLite database": b"seeds of sunflowers, and of other plants" * 200,
        "is damaged": bytes_of[:len(bytes_of) // 2],
        "holds nothing yet": b"",
    }
    for text, damage in damages.items():
        file.write_bytes(damage)
        expect(2, text, "merge", copy, "-o", work / "never")
        if damage:
            expect(2, text, "fuzz", "--resume", copy)
            expect(2, text, "fuzz", *FLAGS, "--out", copy)
        assert file.read_bytes() == damage, f"{text}: the file is another now"
        assert not list(work.glob("never*"))
    file.write_bytes(bytes_of)
    change(copy, "PRAGMA user_version = 2")
    expect(2, "has version 2 of the schema", "fuzz", "--resume", copy)
    change(copy, "PRAGMA user_version = 1", "PRAGMA application_id = 7")
    expect(2, "is no campaign's database", "fuzz", "--resume", copy)
    change(copy, f"PRAGMA application_id = {0x4c4b5354}", "DROP VIEW gone", "DROP VIEW signature_counts",
           "DROP VIEW discoveries", "DROP VIEW signature_smallest", "DROP TABLE findings")
    expect(2, "no such table", "merge", copy, "-o", work / "never")


def test_merge(whole, work):
    """Two parts of a campaign that overlap, put together in any order and again, are the campaign."""
    parts = {"low": "seed > 6", "high": "seed < 4"}
    for name, left_out in parts.items():
        shutil.copytree(whole, work / name)
        change(work / name, f"DELETE FROM sources WHERE {left_out}", f"DELETE FROM findings WHERE {left_out}",
               f"DELETE FROM programs WHERE {left_out}",
               "DELETE FROM signatures WHERE id NOT IN (SELECT signature FROM findings)")
    # Each part has the sources of its own smallest programs.
    change(work / "low", "INSERT OR IGNORE INTO sources SELECT run, seed, 'low' FROM programs WHERE seed = 4")
    # An outcome that says nothing gives way to one that does.
    change(work / "high", "UPDATE programs SET verdict = 'timeout', finished = 1 WHERE seed = 5",
           "DELETE FROM findings WHERE seed = 5", "DELETE FROM sources WHERE seed = 5",
           "DELETE FROM signatures WHERE id NOT IN (SELECT signature FROM findings)")
    wanted = content(whole)
    orders = [["low", "high"], ["high", "low"], ["low", "high", "low", "high"], ["merged-0", "low"], ["high", "merged-1"],
              ["whole", "merged-2"]]
    for i, order in enumerate(orders):
        merged = work / f"merged-{i}"
        run(0, "merge", *[work / name for name in order], "-o", merged)
        assert select(merged, "PRAGMA foreign_key_check") == [] and select(merged, "PRAGMA integrity_check") == [("ok",)]
        same(content(merged), wanted, f"merged {order}")
        check_folders(merged, is_over=True)
    expect(2, "exists already", "merge", work / "low", "-o", work / "high")
    # A merged campaign of one run goes on like any other.
    expect(1, f"{SEEDS} of the programs were done before", "fuzz", "--resume", work / "merged-0")

    # Other flags are another run; a name that leads out of the folder is not followed.
    shutil.copytree(whole, work / "other")
    change(work / "other", "UPDATE flags SET value = '-O2' WHERE name = 'opt'",
           "UPDATE runs SET identity = replace(identity, '-O1', '-O2')", "UPDATE sessions SET id = 'other'||id",
           "UPDATE programs SET session = 'other'||session", "UPDATE signatures SET folder = '../low' WHERE id = 1")
    counts = []
    for order in (["whole", "other"], ["other", "whole"]):
        merged = work / f"both-{order[0]}"
        run(0, "merge", *[work / name for name in order], "-o", merged)
        assert not (merged / "low").exists()
        assert select(merged, "SELECT count(*) FROM runs") == [(2,)] and programs(merged) == 2 * SEEDS
        counts.append(select(merged, "SELECT text, known, findings, programs, first_seed FROM signature_counts ORDER BY 1, 2"))
        expect(2, "has 2 runs of different flags", "fuzz", "--resume", merged)
    assert counts[0] == counts[1] and all(row[2] % 2 == 0 for row in counts[0]), counts
    expect(1, f"{SEEDS} of the programs were done before", "fuzz", *FLAGS, "--seeds", f"1-{SEEDS}", "--out", work / "both-whole")


def main():
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        work = pathlib.Path(name).resolve()
        (work / "known").mkdir()
        for defect, members in KNOWN.items():
            (work / "known" / f"{defect}.json").write_text(json.dumps(DEFECT | members))
        whole = work / "whole"
        output = run(1, "fuzz", *FLAGS, "--seeds", f"1-{SEEDS}", "--out", whole)
        # Each signature is told once, when it is new.
        signatures = select(whole, "SELECT count(*) FROM signatures")[0][0]
        unknown = select(whole, "SELECT count(*) FROM signatures WHERE known = ''")[0][0]
        assert output.count("new signature") == signatures > unknown > 1, output
        assert f"unexplained: {unknown} signatures in {SEEDS} programs" in output, output
        # Seeds of known defects are of Csmith's programs without more words.
        assert "no longer shows" not in output, output
        again = run(1, "fuzz", "--resume", whole)
        assert "new signature" not in again, again
        assert f"{SEEDS} of the programs were done before" in again, again
        assert not list(whole.glob("campaign.sqlite-*")), "a campaign that is over is one file"
        check_folders(whole, is_over=True)
        # More seeds add to it.
        shutil.copytree(whole, work / "more")
        lines = subprocess.run([LOCKSTEP, "fuzz", "--resume", "more", "--seeds", f"1-{SEEDS + 2}", "--json"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.splitlines()
        assert sorted(json.loads(line)["seed"] for line in lines) == [SEEDS + 1, SEEDS + 2], lines
        assert programs(work / "more") == SEEDS + 2

        test_gone(work / "gone")
        test_kills(whole, work / "killed")
        test_interrupt(whole, work / "interrupted")
        test_refusals(whole, work)
        test_merge(whole, work)


main()
