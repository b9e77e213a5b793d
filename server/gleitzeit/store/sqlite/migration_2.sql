-- Version 1 had a table of its own for what a run ended with, and SQLite number the runs: two pages more a commit.
alter table identity add column retired integer not null default 0;
update identity set retired = coalesce((select seq from sqlite_sequence where name = 'run'), 0);

create table content (
    run integer primary key,
    failure text,
    roots text,
    inputs blob,
    outputs blob,
    workflow text not null
);

insert into content (run, failure, roots, inputs, outputs, workflow)
select document.run, ending.failure, document.roots, document.inputs, ending.outputs, document.workflow
from document left join ending on ending.run = document.run;
drop table document;
drop table ending;

create table numbered (
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

insert into numbered (n, id, seq, epoch, owner, state, over, caller, name, created_at, finished_at, parent_id,
                      parent_task, root_id, resumed_from, idempotency_key, digest, boot, uptime)
select n, id, seq, epoch, owner, state, over, caller, name, created_at, finished_at, parent_id, parent_task, root_id,
       resumed_from, idempotency_key, digest, boot, uptime
from run;
drop table run;
alter table numbered rename to run;
create unique index run_idempotency on run (caller, idempotency_key) where idempotency_key is not null;
create index run_open on run (owner) where over = 0;
create index run_over on run (finished_at) where parent_id is null and over = 1;
create index run_parent on run (parent_id) where parent_id is not null;
create index run_root on run (root_id, over) where root_id is not null;
