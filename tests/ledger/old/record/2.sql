BEGIN TRANSACTION;
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
INSERT INTO "attempt" VALUES(1,1,2,1,'ok',1795907779.2044,1795907779.216,0.0116,0.001082,19230720,0,NULL,'vm','1.1.log',0,0,NULL,NULL,NULL,0);
INSERT INTO "attempt" VALUES(2,2,4,1,'ok',1795907779.2539,1795907779.286,0.0321,0.003503,19230720,0,NULL,'vm','1.1.log',0,0,NULL,NULL,NULL,0);
INSERT INTO "attempt" VALUES(3,1,3,2,'ok',1795907779.3735,1795907779.381,0.0075,0.001378,19251200,0,NULL,'vm','1.1.log',0,0,NULL,NULL,NULL,0);
INSERT INTO "attempt" VALUES(4,3,4,1,'ok',1795907779.3708,1795907779.376,0.0052,0.003069,14471168,NULL,NULL,'vm','1.1.log',0,0,NULL,NULL,NULL,0);
INSERT INTO "attempt" VALUES(5,2,5,1,'ok',1795907779.4138,1795907779.428,0.0142,0.003066,19230720,0,NULL,'vm','1.1.log',0,0,NULL,NULL,NULL,0);
INSERT INTO "attempt" VALUES(6,4,4,1,'ok',1.79590777940740013119e+09,1795907779.413,0.0056,0.001603,19230720,0,NULL,'vm','1.1.log',0,0,NULL,NULL,NULL,0);
INSERT INTO "attempt" VALUES(7,2,6,2,'ok',1795907779.4172,1795907779.44,0.0228,0.003526,19251200,0,NULL,'vm','1.1.log',0,0,NULL,NULL,NULL,0);
INSERT INTO "attempt" VALUES(8,3,5,1,'ok',1795907779.4875,1795907779.488,0.0005,0.000454,14471168,NULL,NULL,'vm','1.1.log',0,0,NULL,NULL,NULL,0);
INSERT INTO "attempt" VALUES(9,4,5,1,'ok',1795907779.5118,1795907779.517,0.0052,0.001626,19230720,0,NULL,'vm','1.1.log',0,0,NULL,NULL,NULL,0);
INSERT INTO "attempt" VALUES(10,3,6,2,'ok',1795907779.5241,1795907779.532,0.0079,0.003835,14462976,NULL,NULL,'vm','1.1.log',0,0,NULL,NULL,NULL,0);
INSERT INTO "attempt" VALUES(11,4,6,2,'ok',1795907779.5509,1795907779.555,0.0041,0.002375,19251200,0,NULL,'vm','1.1.log',0,0,NULL,NULL,NULL,0);
INSERT INTO "attempt" VALUES(12,5,2,1,'ok',1.79590777957400012012e+09,1795907779.581,0.007,0.001807,19230720,0,NULL,'vm','1.1.log',0,0,NULL,NULL,NULL,0);
INSERT INTO "attempt" VALUES(13,5,3,2,'ok',1.79590777959799981116e+09,1795907779.6,0.002,0.001364,19251200,0,NULL,'vm','1.1.log',0,0,NULL,NULL,NULL,0);
INSERT INTO "attempt" VALUES(14,6,1,1,'ok',1795907779.6383,1795907779.639,0.0007,0.000663,14471168,NULL,NULL,'vm','1.1.log',0,0,NULL,NULL,NULL,0);
CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL, element INTEGER NOT NULL, number INTEGER NOT NULL,
    stage INTEGER NOT NULL, size INTEGER NOT NULL, cores INTEGER NOT NULL,
    state TEXT NOT NULL,                -- planned delivered settled
    at REAL NOT NULL,
    UNIQUE (job, element, number)
);
INSERT INTO "batch" VALUES(1,1,1,1,1,1,1,'settled',1.79590777895692467686e+09);
INSERT INTO "batch" VALUES(2,2,1,1,1,1,1,'settled',1.79590777903884124752e+09);
INSERT INTO "batch" VALUES(3,1,1,2,2,1,1,'settled',1.79590777924782156946e+09);
INSERT INTO "batch" VALUES(4,1,1,3,3,1,1,'settled',1.79590777933642768856e+09);
INSERT INTO "batch" VALUES(5,1,1,4,2,1,1,'settled',1.79590777934626722334e+09);
INSERT INTO "batch" VALUES(6,2,1,2,2,1,1,'settled',1.79590777940773463254e+09);
INSERT INTO "batch" VALUES(7,1,1,5,3,1,1,'settled',1795907779.47748);
INSERT INTO "batch" VALUES(8,2,1,3,3,1,1,'settled',1.79590777949162507054e+09);
INSERT INTO "batch" VALUES(9,1,1,6,5,1,1,'settled',1.79590777956062531473e+09);
INSERT INTO "batch" VALUES(10,2,1,4,5,1,1,'settled',1.79590777959308409692e+09);
INSERT INTO "batch" VALUES(11,1,1,7,6,1,1,'settled',1.7959077796309161186e+09);
CREATE TABLE definition (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, text TEXT NOT NULL, at REAL NOT NULL);
INSERT INTO "definition" VALUES(1,'1c7295bc2e0cf6c7e8d2c0db52356429db7c670d5eaeba1487e3a6623dca49a9','{"format": 1, "name": "winter", "root": "@ROOT@", "file": "@ROOT@/penstock.toml", "levels": ["night", "run"], "formats": {"run": "d"}, "types": {"size": "int", "night": "str", "run": "int", "path": "str", "stem": "str", "name": "str", "gain": "float", "moon": "str"}, "complete": {}, "derive": {}, "overrides": [], "sources": [{"kind": "table", "level": 1, "path": "@ROOT@/nights.csv", "types": {"night": "str", "gain": "float"}, "derive": {}}, {"kind": "files", "level": 2, "pattern": "raw/{night}/{run:d}.txt", "settle_s": 0.0, "many": [], "companions": [], "exclude": [], "types": {}, "derive": {}}], "stages": [{"name": "dark", "level": 1, "command": ["sh", "-c", "echo $1 > $0", "{product}", "{moon}"], "shell": false, "python": null, "setup": null, "products": [{"name": "product", "path": "dark/{night}", "optional": false, "taken_from": null, "folder": false}], "params": {}, "after": [], "follows": null, "where": null, "expands": null, "members": "all", "empty": "block", "late": "redo", "batch": null, "batch_wait_s": null, "workers": 1, "resources": {"cpus": 1, "memory_bytes": null, "walltime_s": null}, "retry": {}, "rules": [], "ok_codes": [0], "success_log": null, "scratch": false, "templates": {}, "environment": {}, "version": "", "site": null, "digest": "7583639311165d43df979022573087fc6b6e272808913b283c7ef66300af14ae", "each": "night"}, {"name": "clean", "level": 2, "command": ["sh", "clean.sh", "{path}", "{product}", "{gain}"], "shell": false, "python": null, "setup": null, "products": [{"name": "product", "path": "clean/{night}_{run}", "optional": false, "taken_from": null, "folder": false}], "params": {}, "after": [{"stage": "dark", "key": [], "optional": false}], "follows": null, "where": null, "expands": null, "members": "all", "empty": "block", "late": "redo", "batch": null, "batch_wait_s": null, "workers": 1, "resources": {"cpus": 1, "memory_bytes": null, "walltime_s": null}, "retry": {}, "rules": [], "ok_codes": [0], "success_log": null, "scratch": false, "templates": {}, "environment": {}, "version": "", "site": null, "digest": "c8b481d5b84221823faef3d516ccc81636ddc073ae1a16941461db3e69e0d587", "each": "run"}, {"name": "fit", "level": 2, "command": [], "shell": false, "python": "lab:fit", "setup": null, "products": [{"name": "product", "path": "fit/{night}_{run}", "optional": false, "taken_from": null, "folder": false}], "params": {"order": 2}, "after": [{"stage": "clean", "key": [], "optional": false}], "follows": null, "where": null, "expands": null, "members": "all", "empty": "block", "late": "redo", "batch": null, "batch_wait_s": null, "workers": 1, "resources": {"cpus": 1, "memory_bytes": null, "walltime_s": null}, "retry": {}, "rules": [], "ok_codes": [0], "success_log": null, "scratch": false, "templates": {}, "environment": {}, "version": "", "site": null, "digest": "0285463ac165d301dfefc927d8079390acca79f4bb42b0985e92a1c5bec1ca91", "each": "run"}, {"name": "plot", "level": 2, "command": ["cp", "{inputs.fit}", "{product}"], "shell": false, "python": null, "setup": null, "products": [{"name": "product", "path": "plot/{night}_{run}_{moon}", "optional": false, "taken_from": null, "folder": false}], "params": {}, "after": [{"stage": "fit", "key": [], "optional": false}], "follows": "fit", "where": null, "expands": null, "members": "all", "empty": "block", "late": "redo", "batch": null, "batch_wait_s": null, "workers": 1, "resources": {"cpus": 1, "memory_bytes": null, "walltime_s": null}, "retry": {}, "rules": [], "ok_codes": [0], "success_log": null, "scratch": false, "templates": {}, "environment": {}, "version": "", "site": null, "digest": "d446192a83a699046de28d19a2f7c57370ba0425052b3d3710db9d8f1b37cfc7", "each": "run"}, {"name": "night", "level": 1, "command": ["sort", "-o", "{product}", "{inputs.fit}"], "shell": false, "python": null, "setup": null, "products": [{"name": "product", "path": "night/{night}", "optional": false, "taken_from": null, "folder": false}], "params": {}, "after": [{"stage": "fit", "key": [], "optional": false}], "follows": null, "where": null, "expands": null, "members": "all", "empty": "block", "late": "redo", "batch": null, "batch_wait_s": null, "workers": 1, "resources": {"cpus": 1, "memory_bytes": null, "walltime_s": null}, "retry": {}, "rules": [], "ok_codes": [0], "success_log": null, "scratch": false, "templates": {}, "environment": {}, "version": "", "site": null, "digest": "69c0e315624ccda6b0ee4da48a7833de1821dc305662f809bb4f191f695d81dd", "each": "night"}, {"name": "all", "level": 0, "command": [], "shell": false, "python": "lab:join", "setup": null, "products": [{"name": "product", "path": "all", "optional": false, "taken_from": null, "folder": false}], "params": {"order": 2}, "after": [{"stage": "night", "key": [], "optional": false}], "follows": null, "where": null, "expands": null, "members": "all", "empty": "block", "late": "redo", "batch": null, "batch_wait_s": null, "workers": 1, "resources": {"cpus": 1, "memory_bytes": null, "walltime_s": null}, "retry": {}, "rules": [], "ok_codes": [0], "success_log": null, "scratch": false, "templates": {}, "environment": {}, "version": "", "site": null, "digest": "66c05e692c30168ff34dbf7a4b62de4645cf124851f31ee01ad616a0150ef22f", "each": "campaign"}], "sites": {"local": {"name": "local", "scheduler": "local", "host": null, "workdir": null, "cores": 2, "python": null, "setup": [], "environment": {}, "container": null, "commands": null, "queue": null, "account": null, "qos": null, "constraint": null, "lines": [], "max_jobs": null, "max_queued_tasks": null, "array_size": null, "max_parallel": null, "max_walltime_s": null, "max_memory_bytes": null, "visibility_s": 60.0, "shared_files": true, "group": null, "fetch": "all"}}, "digest": "1c7295bc2e0cf6c7e8d2c0db52356429db7c670d5eaeba1487e3a6623dca49a9", "site": "local", "origin": "bf89068c42c960684f53d1d26b01b232e11d86cb00f1b5970ddf5b1324be6ca2"}',1.79590777874061393736e+09);
CREATE TABLE element (
    job INTEGER NOT NULL, element INTEGER NOT NULL,
    phase TEXT, word TEXT, reason TEXT, node TEXT, starts REAL, outcome TEXT,
    absent REAL, ended REAL,
    settled INTEGER NOT NULL DEFAULT 0, -- 1: nothing more can come of it
    PRIMARY KEY (job, element)
) WITHOUT ROWID;
CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,
    site TEXT NOT NULL,
    native TEXT,                        -- the scheduler's id
    epoch INTEGER NOT NULL,             -- of the lease that made it
    elements INTEGER NOT NULL,
    feed INTEGER NOT NULL DEFAULT 0,    -- 1: batches are added while it lives
    folder TEXT NOT NULL,
    state TEXT NOT NULL,                -- planned submitted settled
    created REAL NOT NULL, submitted REAL, settled REAL,
    why TEXT,
    request TEXT,                       -- JSON: what it asks of a scheduler
    tries INTEGER NOT NULL DEFAULT 0    -- how often it was handed in
);
INSERT INTO "job" VALUES(1,'p3uzl2rah0i','local','2596.341344.aeb244d7-0cf8-4d2f-b393-a4c19b0601b1',1,1,1,'.penstock/jobs/p3uzl2rah0i','settled',1.79590777876924514774e+09,1.79590777894802141193e+09,1.79590777973415303232e+09,'done',NULL,0);
INSERT INTO "job" VALUES(2,'p7rgck2bhwl','local','2602.341350.aeb244d7-0cf8-4d2f-b393-a4c19b0601b1',1,1,1,'.penstock/jobs/p7rgck2bhwl','settled',1.79590777897557091714e+09,1.79590777903157973287e+09,1.79590777975454759596e+09,'done',NULL,0);
CREATE TABLE lease (
    id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL,
    host TEXT, boot TEXT, pid INTEGER, start TEXT, command TEXT, since REAL, expires REAL
);
INSERT INTO "lease" VALUES(1,1,'vm','aeb244d7-0cf8-4d2f-b393-a4c19b0601b1',NULL,'341212','run',1.79590777873164176943e+09,0.0);
CREATE TABLE life (
    job INTEGER NOT NULL, element INTEGER NOT NULL, life INTEGER NOT NULL,
    offset INTEGER NOT NULL DEFAULT 0, seq INTEGER NOT NULL DEFAULT 0,
    begun INTEGER NOT NULL DEFAULT 0,   -- how many of its tasks it began
    native TEXT, host TEXT, boot TEXT, pid INTEGER, start TEXT,
    news REAL, beat TEXT, left TEXT,
    PRIMARY KEY (job, element, life)
) WITHOUT ROWID;
INSERT INTO "life" VALUES(1,1,1,4281,27,9,'2596.341344','vm','aeb244d7-0cf8-4d2f-b393-a4c19b0601b1',2596,'341344',1.79590777968774485589e+09,NULL,'done');
INSERT INTO "life" VALUES(2,1,1,2543,16,5,'2602.341350','vm','aeb244d7-0cf8-4d2f-b393-a4c19b0601b1',2602,'341350',1.79590777971184301382e+09,NULL,'done');
CREATE TABLE link (
    stage INTEGER NOT NULL, unit INTEGER NOT NULL, upstream INTEGER NOT NULL, key TEXT NOT NULL,
    PRIMARY KEY (stage, unit, upstream)
) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
INSERT INTO "meta" VALUES('definition','1');
INSERT INTO "meta" VALUES('levels','{"levels": ["night", "run"], "types": {"night": "str", "run": "int"}}');
INSERT INTO "meta" VALUES('name','winter');
CREATE TABLE opening (unit INTEGER NOT NULL, why TEXT NOT NULL, PRIMARY KEY (unit, why)) WITHOUT ROWID;
CREATE TABLE problem (id INTEGER PRIMARY KEY, source TEXT NOT NULL, subject TEXT NOT NULL, why TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE product (
    stage INTEGER NOT NULL, unit INTEGER NOT NULL, name TEXT NOT NULL,
    path TEXT NOT NULL UNIQUE,
    bytes INTEGER, digest TEXT,         -- NULL until the task that makes it has ended
    PRIMARY KEY (stage, unit, name)
) WITHOUT ROWID;
INSERT INTO "product" VALUES(1,2,'product','dark/n1',4,'7aa7a5359173d05b63cfd682e3c38487f3cb4f7f1d60659fe59fab1505977d4c');
INSERT INTO "product" VALUES(1,3,'product','dark/n2',5,'0e716a5fef4e6dc1bcfff22ad52f73ca4eee3f4ea8292f4a1918daa32592889f');
INSERT INTO "product" VALUES(2,4,'product','clean/n1_1',8,'c5c1ff9c90f0b06242092a9d3983be71c099e589aa80dca879dd51498ce70802');
INSERT INTO "product" VALUES(2,5,'product','clean/n1_2',8,'67bb8df83f30f8549ce202bd2b1892e54977d3b0573f5c5b017881af90683d42');
INSERT INTO "product" VALUES(2,6,'product','clean/n2_1',10,'afea8bf969f76acc95db86af840149425ee47ebfc19226dd3059d061e1378e85');
INSERT INTO "product" VALUES(3,4,'product','fit/n1_1',5,'3fa25e15d4df6c439bc889b4d00d150f555885174be681afed3cfc831e4eb01e');
INSERT INTO "product" VALUES(3,5,'product','fit/n1_2',5,'3fa25e15d4df6c439bc889b4d00d150f555885174be681afed3cfc831e4eb01e');
INSERT INTO "product" VALUES(3,6,'product','fit/n2_1',5,'8963a50c9aed3d6a85c89e4c9b449da35d96aed72005e18e74fab19034e67b18');
INSERT INTO "product" VALUES(4,4,'product','plot/n1_1_new',5,'3fa25e15d4df6c439bc889b4d00d150f555885174be681afed3cfc831e4eb01e');
INSERT INTO "product" VALUES(4,5,'product','plot/n1_2_new',5,'3fa25e15d4df6c439bc889b4d00d150f555885174be681afed3cfc831e4eb01e');
INSERT INTO "product" VALUES(4,6,'product','plot/n2_1_full',5,'8963a50c9aed3d6a85c89e4c9b449da35d96aed72005e18e74fab19034e67b18');
INSERT INTO "product" VALUES(5,2,'product','night/n1',10,'7999e2687c2fe04337efb43f096012c9317439b9e25985921a253854fad5dcec');
INSERT INTO "product" VALUES(5,3,'product','night/n2',5,'8963a50c9aed3d6a85c89e4c9b449da35d96aed72005e18e74fab19034e67b18');
INSERT INTO "product" VALUES(6,1,'product','all',15,'2f0749505d00927ee3afd69e260db2145692dd056e651c171c75f6f30cd20cdb');
CREATE TABLE request (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, by TEXT NOT NULL,
    action TEXT NOT NULL, target TEXT NOT NULL, applied REAL, answer TEXT
);
CREATE TABLE settling (path TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, since REAL NOT NULL) WITHOUT ROWID;
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
INSERT INTO "stage" VALUES(1,'dark',1,0,'7583639311165d43df979022573087fc6b6e272808913b283c7ef66300af14ae','{"name": "dark", "level": 1, "command": ["sh", "-c", "echo $1 > $0", "{product}", "{moon}"], "shell": false, "python": null, "setup": null, "products": [{"name": "product", "path": "dark/{night}", "optional": false, "taken_from": null, "folder": false}], "params": {}, "after": [], "follows": null, "where": null, "expands": null, "members": "all", "empty": "block", "late": "redo", "batch": null, "batch_wait_s": null, "workers": 1, "resources": {"cpus": 1, "memory_bytes": null, "walltime_s": null}, "retry": {}, "rules": [], "ok_codes": [0], "success_log": null, "scratch": false, "templates": {}, "environment": {}, "version": "", "site": null, "digest": "7583639311165d43df979022573087fc6b6e272808913b283c7ef66300af14ae", "each": "night"}',0,NULL,NULL);
INSERT INTO "stage" VALUES(2,'clean',2,1,'c8b481d5b84221823faef3d516ccc81636ddc073ae1a16941461db3e69e0d587','{"name": "clean", "level": 2, "command": ["sh", "clean.sh", "{path}", "{product}", "{gain}"], "shell": false, "python": null, "setup": null, "products": [{"name": "product", "path": "clean/{night}_{run}", "optional": false, "taken_from": null, "folder": false}], "params": {}, "after": [{"stage": "dark", "key": [], "optional": false}], "follows": null, "where": null, "expands": null, "members": "all", "empty": "block", "late": "redo", "batch": null, "batch_wait_s": null, "workers": 1, "resources": {"cpus": 1, "memory_bytes": null, "walltime_s": null}, "retry": {}, "rules": [], "ok_codes": [0], "success_log": null, "scratch": false, "templates": {}, "environment": {}, "version": "", "site": null, "digest": "c8b481d5b84221823faef3d516ccc81636ddc073ae1a16941461db3e69e0d587", "each": "run"}',0,NULL,NULL);
INSERT INTO "stage" VALUES(3,'fit',2,2,'0285463ac165d301dfefc927d8079390acca79f4bb42b0985e92a1c5bec1ca91','{"name": "fit", "level": 2, "command": [], "shell": false, "python": "lab:fit", "setup": null, "products": [{"name": "product", "path": "fit/{night}_{run}", "optional": false, "taken_from": null, "folder": false}], "params": {"order": 2}, "after": [{"stage": "clean", "key": [], "optional": false}], "follows": null, "where": null, "expands": null, "members": "all", "empty": "block", "late": "redo", "batch": null, "batch_wait_s": null, "workers": 1, "resources": {"cpus": 1, "memory_bytes": null, "walltime_s": null}, "retry": {}, "rules": [], "ok_codes": [0], "success_log": null, "scratch": false, "templates": {}, "environment": {}, "version": "", "site": null, "digest": "0285463ac165d301dfefc927d8079390acca79f4bb42b0985e92a1c5bec1ca91", "each": "run"}',0,NULL,NULL);
INSERT INTO "stage" VALUES(4,'plot',2,3,'d446192a83a699046de28d19a2f7c57370ba0425052b3d3710db9d8f1b37cfc7','{"name": "plot", "level": 2, "command": ["cp", "{inputs.fit}", "{product}"], "shell": false, "python": null, "setup": null, "products": [{"name": "product", "path": "plot/{night}_{run}_{moon}", "optional": false, "taken_from": null, "folder": false}], "params": {}, "after": [{"stage": "fit", "key": [], "optional": false}], "follows": "fit", "where": null, "expands": null, "members": "all", "empty": "block", "late": "redo", "batch": null, "batch_wait_s": null, "workers": 1, "resources": {"cpus": 1, "memory_bytes": null, "walltime_s": null}, "retry": {}, "rules": [], "ok_codes": [0], "success_log": null, "scratch": false, "templates": {}, "environment": {}, "version": "", "site": null, "digest": "d446192a83a699046de28d19a2f7c57370ba0425052b3d3710db9d8f1b37cfc7", "each": "run"}',0,NULL,NULL);
INSERT INTO "stage" VALUES(5,'night',1,4,'69c0e315624ccda6b0ee4da48a7833de1821dc305662f809bb4f191f695d81dd','{"name": "night", "level": 1, "command": ["sort", "-o", "{product}", "{inputs.fit}"], "shell": false, "python": null, "setup": null, "products": [{"name": "product", "path": "night/{night}", "optional": false, "taken_from": null, "folder": false}], "params": {}, "after": [{"stage": "fit", "key": [], "optional": false}], "follows": null, "where": null, "expands": null, "members": "all", "empty": "block", "late": "redo", "batch": null, "batch_wait_s": null, "workers": 1, "resources": {"cpus": 1, "memory_bytes": null, "walltime_s": null}, "retry": {}, "rules": [], "ok_codes": [0], "success_log": null, "scratch": false, "templates": {}, "environment": {}, "version": "", "site": null, "digest": "69c0e315624ccda6b0ee4da48a7833de1821dc305662f809bb4f191f695d81dd", "each": "night"}',0,NULL,NULL);
INSERT INTO "stage" VALUES(6,'all',0,5,'66c05e692c30168ff34dbf7a4b62de4645cf124851f31ee01ad616a0150ef22f','{"name": "all", "level": 0, "command": [], "shell": false, "python": "lab:join", "setup": null, "products": [{"name": "product", "path": "all", "optional": false, "taken_from": null, "folder": false}], "params": {"order": 2}, "after": [{"stage": "night", "key": [], "optional": false}], "follows": null, "where": null, "expands": null, "members": "all", "empty": "block", "late": "redo", "batch": null, "batch_wait_s": null, "workers": 1, "resources": {"cpus": 1, "memory_bytes": null, "walltime_s": null}, "retry": {}, "rules": [], "ok_codes": [0], "success_log": null, "scratch": false, "templates": {}, "environment": {}, "version": "", "site": null, "digest": "66c05e692c30168ff34dbf7a4b62de4645cf124851f31ee01ad616a0150ef22f", "each": "campaign"}',0,NULL,NULL);
CREATE TABLE tally (
    stage INTEGER NOT NULL, unit INTEGER NOT NULL, state TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (stage, unit, state)
) WITHOUT ROWID;
INSERT INTO "tally" VALUES(1,1,'done',2);
INSERT INTO "tally" VALUES(1,1,'queued',0);
INSERT INTO "tally" VALUES(1,1,'ready',0);
INSERT INTO "tally" VALUES(1,1,'running',0);
INSERT INTO "tally" VALUES(2,1,'done',3);
INSERT INTO "tally" VALUES(2,1,'queued',0);
INSERT INTO "tally" VALUES(2,1,'ready',0);
INSERT INTO "tally" VALUES(2,1,'running',0);
INSERT INTO "tally" VALUES(2,1,'waiting',0);
INSERT INTO "tally" VALUES(3,1,'done',3);
INSERT INTO "tally" VALUES(3,1,'queued',0);
INSERT INTO "tally" VALUES(3,1,'ready',0);
INSERT INTO "tally" VALUES(3,1,'running',0);
INSERT INTO "tally" VALUES(3,1,'waiting',0);
INSERT INTO "tally" VALUES(3,2,'done',2);
INSERT INTO "tally" VALUES(3,2,'queued',0);
INSERT INTO "tally" VALUES(3,2,'ready',0);
INSERT INTO "tally" VALUES(3,2,'running',0);
INSERT INTO "tally" VALUES(3,2,'waiting',0);
INSERT INTO "tally" VALUES(3,3,'done',1);
INSERT INTO "tally" VALUES(3,3,'queued',0);
INSERT INTO "tally" VALUES(3,3,'ready',0);
INSERT INTO "tally" VALUES(3,3,'running',0);
INSERT INTO "tally" VALUES(3,3,'waiting',0);
INSERT INTO "tally" VALUES(4,1,'done',3);
INSERT INTO "tally" VALUES(4,1,'queued',0);
INSERT INTO "tally" VALUES(4,1,'running',0);
INSERT INTO "tally" VALUES(4,1,'waiting',0);
INSERT INTO "tally" VALUES(5,1,'blocked',0);
INSERT INTO "tally" VALUES(5,1,'done',2);
INSERT INTO "tally" VALUES(5,1,'queued',0);
INSERT INTO "tally" VALUES(5,1,'ready',0);
INSERT INTO "tally" VALUES(5,1,'running',0);
INSERT INTO "tally" VALUES(5,1,'waiting',0);
INSERT INTO "tally" VALUES(6,1,'blocked',0);
INSERT INTO "tally" VALUES(6,1,'done',1);
INSERT INTO "tally" VALUES(6,1,'queued',0);
INSERT INTO "tally" VALUES(6,1,'ready',0);
INSERT INTO "tally" VALUES(6,1,'waiting',0);
CREATE TABLE task (
    stage INTEGER NOT NULL,
    unit INTEGER NOT NULL,
    state TEXT NOT NULL,                -- waiting ready queued running done failed blocked vetoed gone
    due REAL,                           -- ready: not before
    batch INTEGER,                      -- queued, running: its batch
    tries INTEGER NOT NULL DEFAULT 0,   -- attempts that cost a retry
    free INTEGER NOT NULL DEFAULT 0,    -- attempts that did not
    alone INTEGER NOT NULL DEFAULT 0,   -- 1: a suspect, to run in a batch of its own
    time_scale REAL NOT NULL DEFAULT 1,
    memory_scale REAL NOT NULL DEFAULT 1,
    made TEXT,                          -- digest of the stage's definition that made it
    inputs TEXT,                        -- digest of what it was made from
    stale TEXT,                         -- why it is stale (a mark on done)
    why TEXT,                           -- the reason of the state, where the state alone does not say it
    PRIMARY KEY (stage, unit)
) WITHOUT ROWID;
INSERT INTO "task" VALUES(1,2,'done',NULL,NULL,0,0,0,1.0,1.0,'7583639311165d43df979022573087fc6b6e272808913b283c7ef66300af14ae','4fafb5d9831c1d6ff43116232274b6f9',NULL,NULL);
INSERT INTO "task" VALUES(1,3,'done',NULL,NULL,0,0,0,1.0,1.0,'7583639311165d43df979022573087fc6b6e272808913b283c7ef66300af14ae','e94b6186deca75ff5597b4a44bcbc614',NULL,NULL);
INSERT INTO "task" VALUES(2,4,'done',NULL,NULL,0,0,0,1.0,1.0,'c8b481d5b84221823faef3d516ccc81636ddc073ae1a16941461db3e69e0d587','b672772304301eaca381e7f11f8b357c',NULL,NULL);
INSERT INTO "task" VALUES(2,5,'done',NULL,NULL,0,0,0,1.0,1.0,'c8b481d5b84221823faef3d516ccc81636ddc073ae1a16941461db3e69e0d587','a6685749c7ece149c0e8881b599b4bd0',NULL,NULL);
INSERT INTO "task" VALUES(2,6,'done',NULL,NULL,0,0,0,1.0,1.0,'c8b481d5b84221823faef3d516ccc81636ddc073ae1a16941461db3e69e0d587','2877a0c0ccb662184620b23012d52973',NULL,NULL);
INSERT INTO "task" VALUES(3,4,'done',NULL,NULL,0,0,0,1.0,1.0,'0285463ac165d301dfefc927d8079390acca79f4bb42b0985e92a1c5bec1ca91','c2d982325ee934a3897f143cda2f2aec',NULL,NULL);
INSERT INTO "task" VALUES(3,5,'done',NULL,NULL,0,0,0,1.0,1.0,'0285463ac165d301dfefc927d8079390acca79f4bb42b0985e92a1c5bec1ca91','5ab5b7b3d81327805ad3e92e33048545',NULL,NULL);
INSERT INTO "task" VALUES(3,6,'done',NULL,NULL,0,0,0,1.0,1.0,'0285463ac165d301dfefc927d8079390acca79f4bb42b0985e92a1c5bec1ca91','12b4e2371868f10e82917a9c0ec5a26e',NULL,NULL);
INSERT INTO "task" VALUES(4,4,'done',NULL,NULL,0,0,0,1.0,1.0,'d446192a83a699046de28d19a2f7c57370ba0425052b3d3710db9d8f1b37cfc7','d3366ddc1a4b1b0789b735edd2e75b23',NULL,NULL);
INSERT INTO "task" VALUES(4,5,'done',NULL,NULL,0,0,0,1.0,1.0,'d446192a83a699046de28d19a2f7c57370ba0425052b3d3710db9d8f1b37cfc7','ac1d4a3e7ecc1b4d3e7d2a7d413f2555',NULL,NULL);
INSERT INTO "task" VALUES(4,6,'done',NULL,NULL,0,0,0,1.0,1.0,'d446192a83a699046de28d19a2f7c57370ba0425052b3d3710db9d8f1b37cfc7','ceedc86c80968a79fe86ea9089839228',NULL,NULL);
INSERT INTO "task" VALUES(5,2,'done',NULL,NULL,0,0,0,1.0,1.0,'69c0e315624ccda6b0ee4da48a7833de1821dc305662f809bb4f191f695d81dd','e3b0c44298fc1c149afbf4c8996fb924.1bbe53ebdc5972aaa86bbd18bc778e94',NULL,NULL);
INSERT INTO "task" VALUES(5,3,'done',NULL,NULL,0,0,0,1.0,1.0,'69c0e315624ccda6b0ee4da48a7833de1821dc305662f809bb4f191f695d81dd','e3b0c44298fc1c149afbf4c8996fb924.ceedc86c80968a79fe86ea9089839228',NULL,NULL);
INSERT INTO "task" VALUES(6,1,'done',NULL,NULL,0,0,0,1.0,1.0,'66c05e692c30168ff34dbf7a4b62de4645cf124851f31ee01ad616a0150ef22f','ca3d163bab055381827226140568f3be.09a41d58666c333a9a9a4601a8d72532',NULL,NULL);
CREATE TABLE unit (
    id INTEGER PRIMARY KEY,
    level INTEGER NOT NULL,
    key TEXT NOT NULL,
    g1 INTEGER, g2 INTEGER, g3 INTEGER, g4 INTEGER, g5 INTEGER,
    origin TEXT NOT NULL,               -- 'group' | 'source' | the id of the stage that expanded it
    fields TEXT NOT NULL DEFAULT '{}',
    fingerprint TEXT,                   -- of its input files: size and mtime
    at REAL,                            -- when it was first seen, or last changed
    gone REAL,                          -- since when its input is missing
    UNIQUE (level, key)
);
INSERT INTO "unit" VALUES(1,0,'[]',NULL,NULL,NULL,NULL,NULL,'group','{}',NULL,NULL,NULL);
INSERT INTO "unit" VALUES(2,1,'["n1"]',2,NULL,NULL,NULL,NULL,'source','{"moon":"new","gain":1.5}','b8351303',1.79590777874868512149e+09,NULL);
INSERT INTO "unit" VALUES(3,1,'["n2"]',3,NULL,NULL,NULL,NULL,'source','{"moon":"full","gain":2.5}','24d1e2a3',1.79590777874868512149e+09,NULL);
INSERT INTO "unit" VALUES(4,2,'["n1",1]',2,4,NULL,NULL,NULL,'source','{"path":"raw/n1/1.txt","size":4,"name":"1.txt","stem":"1"}','4:1700000000000000000',1.79590777874921464921e+09,NULL);
INSERT INTO "unit" VALUES(5,2,'["n1",2]',2,5,NULL,NULL,NULL,'source','{"path":"raw/n1/2.txt","size":4,"name":"2.txt","stem":"2"}','4:1700000000000000000',1.79590777874921464921e+09,NULL);
INSERT INTO "unit" VALUES(6,2,'["n2",1]',3,6,NULL,NULL,NULL,'source','{"path":"raw/n2/1.txt","size":6,"name":"1.txt","stem":"1"}','6:1700000000000000000',1.79590777874921464921e+09,NULL);
CREATE TABLE veto (
    id INTEGER PRIMARY KEY, unit INTEGER NOT NULL, stage INTEGER, by TEXT NOT NULL, why TEXT NOT NULL,
    at REAL NOT NULL, lifted REAL, lifted_by TEXT
);
CREATE INDEX unit_g1 ON unit (g1, level) WHERE level > 1;
CREATE INDEX unit_g2 ON unit (g2, level) WHERE level > 2;
CREATE INDEX unit_g3 ON unit (g3, level) WHERE level > 3;
CREATE INDEX unit_g4 ON unit (g4, level) WHERE level > 4;
CREATE INDEX task_ready ON task (stage, alone, due, unit) WHERE state = 'ready';
CREATE INDEX task_batch ON task (batch) WHERE batch IS NOT NULL;
CREATE INDEX task_failed ON task (stage, unit) WHERE state = 'failed';
CREATE INDEX link_upstream ON link (upstream, key);
CREATE INDEX attempt_task ON attempt (stage, unit);
CREATE INDEX job_open ON job (state) WHERE state <> 'settled';
CREATE INDEX batch_open ON batch (job) WHERE state <> 'settled';
CREATE INDEX element_open ON element (job) WHERE NOT settled;
CREATE INDEX request_open ON request (id) WHERE applied IS NULL;
CREATE INDEX veto_unit ON veto (unit) WHERE lifted IS NULL;
COMMIT;
PRAGMA user_version = 2;
