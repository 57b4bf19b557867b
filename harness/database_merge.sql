-- Adds to the main database what an attached one, `other`, has. Which programs stay does not depend on the order in
-- which databases are merged, nor on how often.

INSERT OR IGNORE INTO main.runs (identity) SELECT identity FROM other.runs ORDER BY id;

-- Runs of the other database, and what they are here.
CREATE TEMP TABLE run_map AS
SELECT there.id AS old, here.id AS new FROM other.runs AS there JOIN main.runs AS here USING (identity);

INSERT OR IGNORE INTO main.flags SELECT new, name, value FROM other.flags JOIN run_map ON run = old;
INSERT OR IGNORE INTO main.tools SELECT new, name, version FROM other.tools JOIN run_map ON run = old;
INSERT OR IGNORE INTO main.defects SELECT new, name, reason FROM other.defects JOIN run_map ON run = old;
INSERT OR IGNORE INTO main.expectations SELECT new, defect, seed FROM other.expectations JOIN run_map ON run = old;

-- A copy of a campaign may know the beginning of a session that went on.
INSERT INTO main.sessions (id, run, started, seen, ended, jobs, first_seed, last_seed, time_limit)
SELECT id, new, started, seen, ended, jobs, first_seed, last_seed, time_limit FROM other.sessions JOIN run_map ON run = old
WHERE true
ON CONFLICT (id) DO UPDATE SET seen = max(seen, excluded.seen), ended = coalesce(ended, excluded.ended);

-- Of one program in both, the outcome that says more stays, and of two such the one that came first.
CREATE TEMP TABLE taken AS
SELECT new AS run, old, there.seed AS seed
FROM other.programs AS there JOIN run_map ON there.run = old LEFT JOIN main.programs AS here ON here.run = new AND here.seed = there.seed
WHERE here.seed IS NULL
   OR (there.verdict IN ('timeout', 'skipped'), there.finished, there.session)
    < (here.verdict IN ('timeout', 'skipped'), here.finished, here.session);

DELETE FROM main.sources WHERE (run, seed) IN (SELECT run, seed FROM taken);
DELETE FROM main.findings WHERE (run, seed) IN (SELECT run, seed FROM taken);
DELETE FROM main.programs WHERE (run, seed) IN (SELECT run, seed FROM taken);

INSERT INTO main.programs
    (run, seed, session, finished, verdict, reason, file, size, stops, compared, unchanged, repeats, steps, events, limited,
     generate_seconds, compile_seconds, step_seconds, worker_kib)
SELECT taken.run, there.seed, session, finished, verdict, reason, file, size, stops, compared, unchanged, repeats, steps, events, limited,
       generate_seconds, compile_seconds, step_seconds, worker_kib
FROM other.programs AS there JOIN taken ON there.run = old AND there.seed = taken.seed;

INSERT INTO main.signatures (text, known, folder) SELECT text, known, folder FROM other.signatures ORDER BY id
ON CONFLICT (text, known) DO UPDATE SET folder = excluded.folder WHERE folder IS NULL;

INSERT INTO main.findings (run, seed, number, signature, kind, function, file, line, variable, stop, document)
SELECT taken.run, there.seed, number, here.id, kind, function, file, line, variable, stop, document
FROM other.findings AS there
JOIN taken ON there.run = old AND there.seed = taken.seed
JOIN other.signatures AS named ON named.id = there.signature
JOIN main.signatures AS here ON here.text = named.text AND here.known = named.known;

INSERT OR IGNORE INTO main.sources SELECT new, seed, text FROM other.sources JOIN run_map ON run = old;

DELETE FROM main.signatures WHERE id NOT IN (SELECT signature FROM main.findings);
DELETE FROM main.sources WHERE (run, seed) NOT IN (SELECT run, seed FROM signature_smallest);

DROP TABLE run_map;
DROP TABLE taken;
