-- The record of one campaign. Times are UTC seconds since 1970; sizes are bytes; keys are canonical JSON.
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;

-- Frozen copies of the definition, newest last.
CREATE TABLE definition (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, text TEXT NOT NULL, at REAL NOT NULL);

CREATE TABLE stage (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    level INTEGER NOT NULL,
    position INTEGER NOT NULL,          -- order of the definition
    digest TEXT NOT NULL,
    definition TEXT NOT NULL,           -- JSON, as in the frozen copy
    removed INTEGER NOT NULL DEFAULT 0, -- its tasks are kept and never run
    paused TEXT,                        -- 'fuse' | 'halt' | NULL
    paused_why TEXT
);

-- Units and their groups. g1…g5 are the ids of its group at each level, its own id at its own level.
CREATE TABLE unit (
    id INTEGER PRIMARY KEY,
    level INTEGER NOT NULL,
    key TEXT NOT NULL,
    g1 INTEGER, g2 INTEGER, g3 INTEGER, g4 INTEGER, g5 INTEGER,
    origin TEXT NOT NULL,               -- 'group' | 'source' | the id of the stage that expanded it
    fields TEXT NOT NULL DEFAULT '{}',
    fingerprint TEXT,                   -- of its input files: size and mtime; empty if it has none
    at REAL,                            -- when it was first seen, or last changed
    gone REAL,                          -- since when its input is missing
    seen REAL,                          -- when it was first seen
    archived INTEGER,                   -- who said that its input was put away, and why: a `cause`
    UNIQUE (level, key)
);
CREATE INDEX unit_archived ON unit (level) WHERE archived IS NOT NULL;
CREATE INDEX unit_g1 ON unit (g1, level) WHERE level > 1;
CREATE INDEX unit_g2 ON unit (g2, level) WHERE level > 2;
CREATE INDEX unit_g3 ON unit (g3, level) WHERE level > 3;
CREATE INDEX unit_g4 ON unit (g4, level) WHERE level > 4;

CREATE TABLE task (
    stage INTEGER NOT NULL,
    unit INTEGER NOT NULL,
    state TEXT NOT NULL,                -- waiting ready queued running done failed blocked vetoed gone
    due REAL,                           -- ready: not before; NULL: now
    batch INTEGER,                      -- queued, running: its batch
    tries INTEGER NOT NULL DEFAULT 0,   -- attempts that cost a retry
    free INTEGER NOT NULL DEFAULT 0,    -- attempts that did not
    alone INTEGER NOT NULL DEFAULT 0,   -- 1: a suspect, to run in a batch of its own
    time_scale REAL NOT NULL DEFAULT 1,
    memory_scale REAL NOT NULL DEFAULT 1,
    made TEXT,                          -- digest of the stage's definition that made it
    inputs TEXT,                        -- digest of what it was made from
    stale TEXT,                         -- why it is stale (a mark on done)
    redo INTEGER NOT NULL DEFAULT 0,    -- of a stale one, added up: 1 it is so whatever its input is, 2 it is made again unasked
    why TEXT,                           -- the reason of the state, where the state alone does not say it
    failed REAL,                        -- since when it needs a person, until it is done
    behind INTEGER NOT NULL DEFAULT 0,  -- 1: backfill, which goes after all new data
    share INTEGER NOT NULL DEFAULT 0,   -- the group in whose turn it goes; 0: none take turns
    rank BLOB NOT NULL DEFAULT 0,       -- of its group the least goes first, then what was seen first
    marked INTEGER,                     -- of done: who said so, as we did not make it, and why: a `cause`
    PRIMARY KEY (stage, unit)
) WITHOUT ROWID;
-- What may start now, in the order in which it does.
CREATE INDEX task_ready ON task (stage, behind, alone, share, rank, unit) WHERE state = 'ready' AND due IS NULL;
CREATE INDEX task_due ON task (due) WHERE due IS NOT NULL;
CREATE INDEX task_batch ON task (batch) WHERE batch IS NOT NULL;
CREATE INDEX task_redo ON task (stage, behind, rank, unit) WHERE redo <> 0;
CREATE INDEX task_failed ON task (stage, unit, state, why) WHERE state = 'failed'; -- status groups them, from here alone
CREATE INDEX task_marked ON task (stage) WHERE marked IS NOT NULL;
CREATE INDEX task_trouble ON task (failed) WHERE failed IS NOT NULL;

-- Tasks of a stage under a group (unit; 1 is the campaign) by state; 'stale' is counted beside 'done'.
CREATE TABLE tally (
    stage INTEGER NOT NULL, unit INTEGER NOT NULL, state TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (stage, unit, state)
) WITHOUT ROWID;

-- Upstreams that fields name (`after = [{stage, key}]`).
CREATE TABLE link (
    stage INTEGER NOT NULL, unit INTEGER NOT NULL, upstream INTEGER NOT NULL, key TEXT NOT NULL,
    PRIMARY KEY (stage, unit, upstream)
) WITHOUT ROWID;
CREATE INDEX link_upstream ON link (upstream, key);

CREATE TABLE product (
    stage INTEGER NOT NULL, unit INTEGER NOT NULL, name TEXT NOT NULL,
    path TEXT NOT NULL UNIQUE,
    bytes INTEGER, digest TEXT,         -- NULL until the task that makes it has ended
    mtime_ns INTEGER,                   -- of the file or folder, when it got its name
    owned INTEGER NOT NULL DEFAULT 0,   -- what lies there: 0 nothing of ours, 1 what the task made, 2 that perhaps
    PRIMARY KEY (stage, unit, name)
) WITHOUT ROWID;

-- Products that a step of a closing moved: `product.path` is where one is, `declared` where its task makes it.
CREATE TABLE moved (
    path TEXT PRIMARY KEY,
    declared TEXT NOT NULL,
    stage INTEGER NOT NULL, unit INTEGER NOT NULL, -- the step
    batch INTEGER NOT NULL              -- the newest one then: what is in a later batch knows where the product is
) WITHOUT ROWID;
CREATE INDEX moved_declared ON moved (declared);
CREATE INDEX moved_by ON moved (stage, unit);

-- Contents of files that stages depend on, as far as people want them kept.
CREATE TABLE configuration (mark TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;

-- Where products lay that no task of today makes.
CREATE TABLE former (path TEXT PRIMARY KEY) WITHOUT ROWID;

CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    stage INTEGER NOT NULL, unit INTEGER NOT NULL, job INTEGER,
    outcome TEXT NOT NULL,              -- ok error timeout out_of_memory node_failure preempted cancelled missing_product lost unstarted
    began REAL, ended REAL NOT NULL,
    wall_s REAL, cpu_s REAL, rss INTEGER,
    exit_code INTEGER, signal INTEGER,
    host TEXT, log TEXT, log_offset INTEGER, log_bytes INTEGER,
    why TEXT,                           -- what happened
    next TEXT,                          -- what was decided, and why
    result TEXT,                        -- JSON of a Python stage
    late INTEGER NOT NULL DEFAULT 0     -- came after its task had moved on: recorded, not applied
);
CREATE INDEX attempt_task ON attempt (stage, unit);
CREATE INDEX attempt_job ON attempt (job);

CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,
    site TEXT NOT NULL,
    native TEXT,                        -- the scheduler's id
    epoch INTEGER NOT NULL,             -- of the lease that made it
    elements INTEGER NOT NULL,
    feed INTEGER NOT NULL DEFAULT 0,    -- 1: batches are added while it lives
    folder TEXT NOT NULL,
    state TEXT NOT NULL,                -- planned submitted finished
    created REAL NOT NULL, submitted REAL, finished REAL,
    why TEXT,
    request TEXT,                       -- JSON: what it asks of a scheduler
    tries INTEGER NOT NULL DEFAULT 0    -- how often it was submitted
);
CREATE INDEX job_open ON job (state) WHERE state <> 'finished';
CREATE INDEX job_submitted ON job (site, submitted);

CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL, element INTEGER NOT NULL, number INTEGER NOT NULL,
    stage INTEGER NOT NULL, size INTEGER NOT NULL, cores INTEGER NOT NULL,
    state TEXT NOT NULL,                -- planned delivered finished
    at REAL NOT NULL,
    UNIQUE (job, element, number)
);
CREATE INDEX batch_open ON batch (job) WHERE state <> 'finished';

-- An element of an array: where its scheduler says that it stands. absent and ended are seconds of this machine's
-- monotonic clock, since when valid answers are without it, or say that it is over.
CREATE TABLE element (
    job INTEGER NOT NULL, element INTEGER NOT NULL,
    phase TEXT, word TEXT, reason TEXT, node TEXT, starts REAL, outcome TEXT,
    absent REAL, ended REAL,
    finished INTEGER NOT NULL DEFAULT 0, -- 1: nothing more can come of it
    cancelled INTEGER NOT NULL DEFAULT 0, -- 1: we took it out of the queue, as it had nothing left to do
    PRIMARY KEY (job, element)
) WITHOUT ROWID;
CREATE INDEX element_open ON element (job) WHERE NOT finished;

-- One event file: how far it was read, and what it last said.
CREATE TABLE life (
    job INTEGER NOT NULL, element INTEGER NOT NULL, life INTEGER NOT NULL,
    offset INTEGER NOT NULL DEFAULT 0, seq INTEGER NOT NULL DEFAULT 0,
    begun INTEGER NOT NULL DEFAULT 0,   -- how many of its tasks it began
    unread INTEGER NOT NULL DEFAULT 0,  -- lines that could not be read, of which the numbers may be missing
    native TEXT, host TEXT, boot TEXT, pid INTEGER, start TEXT,
    space TEXT,                         -- the process namespace that its pid is of
    news REAL, beat TEXT, left TEXT,
    software TEXT,                      -- JSON: user, Python, system, variables that may be told, versions of programs
    PRIMARY KEY (job, element, life)
) WITHOUT ROWID;

-- What was learned of a site. A time that is further ahead than it can be was written by a clock that was put back.
CREATE TABLE site (
    name TEXT PRIMARY KEY,
    version TEXT, array_size INTEGER, accounting INTEGER, -- what its scheduler tells of itself
    limits_told REAL, limits_due REAL,  -- when it last did, and when to ask for it again
    refused INTEGER,                    -- elements of an array that was too large by itself
    most_elements INTEGER,              -- how many are submitted at once since then
    times_full INTEGER NOT NULL DEFAULT 0, -- refusals in a row because too many jobs were there
    rests_until REAL, rests_why TEXT,   -- nothing is submitted before
    include_until REAL,                 -- jobs may go to nodes that failed: it refused one that was to avoid them
    false_starts INTEGER NOT NULL DEFAULT 0, -- runners in a row that began nothing
    failures INTEGER NOT NULL DEFAULT 0, -- questions in a row that were not answered
    ask_due REAL, cancel_due REAL,      -- when to ask where jobs stand, and to try again to cancel what has nothing to do
    history_asked INTEGER NOT NULL DEFAULT 0, -- 1: the last question was for the history
    history_answered REAL, boot TEXT,   -- when it last answered, and the boot whose monotonic clock says so
    away REAL, away_why TEXT            -- since when it cannot be reached; it is left alone until ask_due
) WITHOUT ROWID;

-- Where a site does not see the campaign's folder. Contents are those of files here that were to travel.
CREATE TABLE content (path TEXT PRIMARY KEY, bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID;
-- What is in a site's store for tasks of a unit.
CREATE TABLE sent (
    site TEXT NOT NULL, digest TEXT NOT NULL, unit INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (site, digest, unit)
) WITHOUT ROWID;
-- Products that are at the site where they were made. home: 1 here, too; wanted: 1 whatever the site's `fetch` says,
-- -1 what lies at its path here is not ours.
CREATE TABLE location (
    path TEXT PRIMARY KEY, site TEXT NOT NULL, home INTEGER NOT NULL DEFAULT 0, wanted INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX location_away ON location (site) WHERE NOT home;

-- Groups that are still open, and why (RULE 1).
CREATE TABLE opening (unit INTEGER NOT NULL, why TEXT NOT NULL, PRIMARY KEY (unit, why)) WITHOUT ROWID;

-- Files seen before they were at rest.
CREATE TABLE settling (path TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, since REAL NOT NULL) WITHOUT ROWID;

CREATE TABLE request (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, by TEXT NOT NULL,
    action TEXT NOT NULL, target TEXT NOT NULL, applied REAL, answer TEXT
);
CREATE INDEX request_open ON request (id) WHERE applied IS NULL;

CREATE TABLE veto (
    id INTEGER PRIMARY KEY, unit INTEGER NOT NULL, stage INTEGER, by TEXT NOT NULL, why TEXT NOT NULL,
    at REAL NOT NULL, lifted REAL, lifted_by TEXT, until REAL
);
CREATE INDEX veto_unit ON veto (unit) WHERE lifted IS NULL;
CREATE INDEX veto_until ON veto (until) WHERE lifted IS NULL AND until IS NOT NULL;

-- What happened to units and is in no other table; n counts for each unit. what: `files` changed (by their
-- fingerprints) or `field NAME` (by its JSON), gone returned stale marked unmarked archived unarchived.
CREATE TABLE history (
    unit INTEGER NOT NULL, n INTEGER NOT NULL,
    at REAL NOT NULL, stage INTEGER, what TEXT NOT NULL, old TEXT, new TEXT, cause INTEGER,
    PRIMARY KEY (unit, n)
) WITHOUT ROWID;

-- Who wanted something, and why: by is empty when nobody did. Each is there once.
CREATE TABLE cause (id INTEGER PRIMARY KEY, by TEXT NOT NULL, why TEXT NOT NULL, UNIQUE (by, why));

-- What a person should look at; those of one source are replaced by its next scan.
CREATE TABLE problem (id INTEGER PRIMARY KEY, source TEXT NOT NULL, subject TEXT NOT NULL, why TEXT NOT NULL, at REAL NOT NULL);

-- Groups that were not done by the deadline of a stage.
CREATE TABLE missed (
    stage INTEGER NOT NULL, unit INTEGER NOT NULL,
    due REAL NOT NULL, at REAL NOT NULL, -- the deadline, and when it was noticed
    over REAL,                          -- since when it is done all the same
    PRIMARY KEY (stage, unit)
) WITHOUT ROWID;
CREATE INDEX missed_open ON missed (at) WHERE over IS NULL;

-- Which channels want to be told of which kind of news.
CREATE TABLE listener (
    channel TEXT NOT NULL, kind TEXT NOT NULL, -- failure recovery deadline digest
    told REAL NOT NULL,                 -- up to when it knows all; of a digest, up to which attempt
    at REAL NOT NULL,                   -- when it was last told
    PRIMARY KEY (kind, channel)
) WITHOUT ROWID;

-- The outbox. A notice grows, without a message, until it is first sent; from then on it stays as it is.
CREATE TABLE notice (
    id INTEGER PRIMARY KEY, channel TEXT NOT NULL, kind TEXT NOT NULL,
    at REAL NOT NULL,                   -- when its first cause came
    message TEXT,                       -- JSON
    sealed REAL,                        -- when its message was written
    due REAL,                           -- when it is sent, or tried again; NULL: it was sent, or given up
    tries INTEGER NOT NULL DEFAULT 0,
    sent REAL, why TEXT                 -- why the last try failed
);
CREATE UNIQUE INDEX notice_growing ON notice (channel, kind) WHERE message IS NULL;
CREATE INDEX notice_due ON notice (due) WHERE due IS NOT NULL;

-- Who drives the campaign.
CREATE TABLE lease (
    id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL,
    host TEXT, boot TEXT, pid INTEGER, start TEXT, space TEXT, command TEXT, since REAL, expires REAL,
    turned REAL                         -- when the last turn ended, to half a minute
);
