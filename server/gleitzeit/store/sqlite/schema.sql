-- One row a process that carries out runs; `beat` is its last sign of life, on the clock of the machine's boot.
create table owner (
    id text primary key,
    boot text not null,
    pid integer not null,
    process text not null,
    beat real not null
) without rowid;

-- What changes with every commit of a run, and what lists are filtered by: small, since each change rewrites the row.
-- Numbers are never given twice: those of a run that was forgotten may still be in `garbage`, or in somebody's cursor.
-- `identity.retired` sees to that; SQLite's own autoincrement would write a page more for each run.
create table run (
    n integer primary key,
    id text not null unique,
    seq integer not null,
    epoch integer not null,
    owner text,
    state text not null,
    over integer not null, -- 1 for the states that nothing leaves, else 0
    caller text not null,
    name text not null,
    created_at real not null,
    finished_at real,
    parent_id text,
    parent_task text,
    root_id text,
    resumed_from text,
    idempotency_key text,
    digest text,
    boot text not null,
    uptime real not null
);
create unique index run_idempotency on run (caller, idempotency_key) where idempotency_key is not null;
create index run_open on run (owner) where over = 0;
create index run_over on run (finished_at) where parent_id is null and over = 1;
create index run_parent on run (parent_id) where parent_id is not null;
create index run_root on run (root_id, over) where root_id is not null;

-- What a run is given, which never changes, and what it ends with. What lists show stands before what may be large.
create table content (
    run integer primary key,
    failure text,
    roots text,
    inputs blob,
    outputs blob,
    workflow text not null
);

create table task (
    run integer not null,
    key text not null,
    state text not null,
    attempts integer not null,
    result blob,
    failure text,
    started_at real,
    finished_at real,
    expanded integer,
    not_before real,
    metadata text,
    primary key (run, key)
) without rowid;

create table event (
    run integer not null,
    seq integer not null,
    kind text not null,
    at real not null,
    task_id text,
    data text,
    primary key (run, seq)
) without rowid;

-- Where a result stands that may be used again.
create table cache (
    run integer not null,
    key text not null,
    digest text not null,
    expires_at real not null,
    primary key (run, key)
) without rowid;
create index cache_digest on cache (digest);

create table request (
    n integer primary key,
    run integer not null,
    kind text not null,
    body text
);
create index request_run on request (run);

create table workflow (
    caller text not null,
    name text not null,
    body text not null,
    version integer not null,
    created_at real not null,
    updated_at real not null,
    primary key (caller, name)
) without rowid;

-- Runs that are forgotten, whose tasks and events are still to be deleted, little by little.
create table garbage (
    run integer primary key
);

-- Which database this is: `generation` grows when its file had to be written anew because it had been deleted.
-- No new run gets a number up to `retired`.
create table identity (
    id text not null,
    generation integer not null,
    retired integer not null default 0
);
insert into identity values (lower(hex(randomblob(16))), 1, 0);
