-- The schema of a campaign's database, campaign.sqlite: version 1. harness/database.h says how to open one.
--
-- A campaign that `lockstep fuzz` makes has one run; a merged campaign may have several. What a program showed is
-- in `programs` and `findings` once, and all counts are views over these two, so that nothing is counted twice.
-- Times are milliseconds since 1970-01-01 UTC, durations are seconds. Seeds and counts are unsigned 64-bit numbers in
-- SQLite's signed ones.

-- What makes two programs of one seed the same: all flags that decide what is found, and all tools. `identity` is the
-- run's rows in `flags` and `tools` as one text: two runs are the same run when it is.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE
) STRICT;

-- By the option's name without its dashes ("cc", "opt", "engine", "source", "stops", ...); a flag that is off, or an
-- option that has no value, has ''.
CREATE TABLE flags (
    run INTEGER NOT NULL REFERENCES runs (id),
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

-- "lockstep", "native" and "wasm" (the compilers, by the first line of --version), "native linker", "wasm linker",
-- "csmith", "wasm-opt"; "known" is a digest of the list of known defects, "modules" of a folder's names. Those that the run did not need
-- have no row.
CREATE TABLE tools (
    run INTEGER NOT NULL REFERENCES runs (id),
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

-- Each time that a process worked on a run. `seen` is the last time that it wrote; `ended` is NULL when it was
-- killed, or has not ended yet.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, -- random, so that merging knows it again
    run INTEGER NOT NULL REFERENCES runs (id),
    started INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    ended INTEGER,
    jobs INTEGER NOT NULL,
    first_seed INTEGER NOT NULL, -- what was asked for: --seeds,
    last_seed INTEGER,           -- NULL: without end,
    time_limit INTEGER NOT NULL  -- and --time, in milliseconds; 0: none
) STRICT, WITHOUT ROWID;

-- The outcome of one program. `seed` is a module's number where --source is a folder.
CREATE TABLE programs (
    run INTEGER NOT NULL REFERENCES runs (id),
    seed INTEGER NOT NULL,
    session TEXT NOT NULL REFERENCES sessions (id),
    finished INTEGER NOT NULL,
    verdict TEXT NOT NULL, -- as in JSON: "agree", "differ", ... (harness/verdicts.def)
    reason TEXT,           -- why it was skipped, crashed or not done in time
    file TEXT,             -- of a program that has no seed
    size INTEGER,          -- of its source, in bytes; of the module where there is no source; NULL when it was not made
    stops INTEGER NOT NULL,
    compared INTEGER NOT NULL,  -- "values" in JSON: scalars decoded and compared on both sides
    unchanged INTEGER NOT NULL,
    repeats INTEGER NOT NULL,
    steps INTEGER NOT NULL,     -- of engines: instructions
    events INTEGER NOT NULL,    -- of --replay: events
    limited INTEGER NOT NULL,   -- 1 when a limit ended it
    generate_seconds REAL NOT NULL,
    compile_seconds REAL NOT NULL,
    step_seconds REAL NOT NULL,
    worker_kib INTEGER NOT NULL,
    PRIMARY KEY (run, seed)
) STRICT, WITHOUT ROWID;
CREATE INDEX programs_by_time ON programs (finished, run, seed);

-- A signature that some findings share with a known defect and others do not is two rows.
CREATE TABLE signatures (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL,
    known TEXT NOT NULL, -- the known defect's name; '' when it is not known
    folder TEXT,         -- where the first finding is kept: a name in the campaign's folder
    UNIQUE (text, known)
) STRICT;

CREATE TABLE findings (
    run INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    number INTEGER NOT NULL, -- 0 on, in the order in which the program showed them
    signature INTEGER NOT NULL REFERENCES signatures (id),
    kind TEXT NOT NULL,
    function TEXT,
    file TEXT,
    line INTEGER NOT NULL,
    variable TEXT,
    stop INTEGER NOT NULL,   -- the stop's number in the program
    document TEXT NOT NULL,  -- the finding as `fuzz --json` prints it; with call stacks and stops, as in finding.json, when
                             -- the program was the signature's smallest at that time
    PRIMARY KEY (run, seed, number),
    FOREIGN KEY (run, seed) REFERENCES programs (run, seed)
) STRICT, WITHOUT ROWID;
CREATE INDEX findings_by_signature ON findings (signature, run, seed);

-- The C text of each signature's smallest program (see signature_smallest).
CREATE TABLE sources (
    run INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (run, seed),
    FOREIGN KEY (run, seed) REFERENCES programs (run, seed)
) STRICT, WITHOUT ROWID;

-- The known defects that a run looked for, and the seeds that are to show them with the run's flags and compilers.
CREATE TABLE defects (
    run INTEGER NOT NULL REFERENCES runs (id),
    name TEXT NOT NULL,
    reason TEXT NOT NULL, -- one line: what is wrong, and in which tool
    PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE expectations (
    run INTEGER NOT NULL,
    defect TEXT NOT NULL,
    seed INTEGER NOT NULL,
    PRIMARY KEY (run, defect, seed),
    FOREIGN KEY (run, defect) REFERENCES defects (run, name)
) STRICT, WITHOUT ROWID;

-- ---- Views ----

-- How many programs of a run ended with which verdict.
CREATE VIEW outcomes AS
SELECT run, verdict, count(*) AS programs FROM programs GROUP BY run, verdict;

-- Of each signature: how many findings it has, of how many programs, and the least seed (of the least run that has one).
CREATE VIEW signature_counts AS
SELECT signatures.id AS signature, text, known, folder, min(kind) AS kind, count(*) AS findings,
       count(DISTINCT printf('%d/%d', run, seed)) AS programs, min(run) AS first_run,
       (SELECT seed FROM findings AS first WHERE first.signature = signatures.id ORDER BY run, seed LIMIT 1) AS first_seed
FROM signatures JOIN findings ON findings.signature = signatures.id
GROUP BY signatures.id;

-- Of each signature: its smallest program; of several as small, the least run and seed.
CREATE VIEW signature_smallest AS
SELECT signature, run, seed, size FROM (
    SELECT signature, findings.run, findings.seed, size,
           row_number() OVER (PARTITION BY signature ORDER BY size IS NULL, size, findings.run, findings.seed, number) AS place
    FROM findings JOIN programs USING (run, seed))
WHERE place = 1;

-- Signatures over programs: of each signature, how many programs had finished when it was first seen, that one included.
CREATE VIEW discoveries AS
SELECT signature, min(place) AS programs
FROM findings JOIN (SELECT run, seed, row_number() OVER (ORDER BY finished, run, seed) AS place FROM programs) USING (run, seed)
GROUP BY signature;

-- Programs that finished in each minute of the clock.
CREATE VIEW throughput AS
SELECT run, finished / 60000 AS minute, count(*) AS programs FROM programs GROUP BY run, minute;

-- The stages' time, summed over a run's programs; a stage's share is its part of the three.
CREATE VIEW stages AS
SELECT run, sum(generate_seconds) AS generate, sum(compile_seconds) AS compile, sum(step_seconds) AS step
FROM programs GROUP BY run;

-- Known defects that no longer show: seeds that are to show one, ran to an end that lets us judge, and did not.
CREATE VIEW gone AS
SELECT expectations.run AS run, defect, expectations.seed AS seed
FROM expectations JOIN programs USING (run, seed)
WHERE verdict IN ('agree', 'differ') AND NOT EXISTS (
    SELECT 1 FROM findings JOIN signatures ON signatures.id = findings.signature
    WHERE findings.run = expectations.run AND findings.seed = expectations.seed AND signatures.known = defect);
