-- name: insert_run
-- A new run; nothing happens where its id or its idempotency key is taken.
insert into run (n, id, seq, epoch, owner, state, over, caller, name, created_at, finished_at, parent_id, parent_task,
                 root_id, resumed_from, idempotency_key, digest, boot, uptime)
values (max(coalesce((select max(n) from run), 0), (select retired from identity)) + 1,
        ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict do nothing;

-- name: find_rival
-- The run whose id or idempotency key a new one wanted.
select id from run where id = ? or (caller = ? and idempotency_key = ?) order by id <> ? limit 1;

-- name: insert_content
-- What a new run is given, and what it has ended with already.
insert into content (run, failure, roots, inputs, outputs, workflow)
values (:run, :failure, :roots, :inputs, :outputs, :workflow);

-- name: advance
-- Fences and numbers at once: no row where the epoch is another; else the numbers of so many events are taken.
update run set seq = seq + ? where id = ? and epoch = ? returning n, seq;

-- name: find_epoch
-- Why a change was refused.
select epoch from run where id = ?;

-- name: update_run
-- What a run became; nobody owns one that is over, waits, or was released.
update run set state = ?, over = ?, finished_at = ?, owner = iif(?, null, owner) where n = ?;

-- name: release_run
-- Anybody may carry it on.
update run set owner = null where n = ?;

-- name: put_ending
-- What a run ended with, or that it has not ended.
update content set outputs = :outputs, failure = :failure
where run = :run and (outputs is not :outputs or failure is not :failure);

-- name: put_task
-- The whole row, whether or not there was one.
insert or replace into task (run, key, state, attempts, result, failure, started_at, finished_at, expanded, not_before,
                             metadata)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_event
-- One more event, numbered before.
insert into event (run, seq, kind, at, task_id, data) values (?, ?, ?, ?, ?, ?);

-- name: put_cache
-- Where a result stands that may be used again.
insert or replace into cache (run, key, digest, expires_at) values (?, ?, ?, ?);

-- name: delete_requests
-- Nobody has to do anything for a run that is over.
delete from request where run = ?;

-- name: select_run
-- One run, whole.
select run.n, run.seq, run.owner,
       run.id, run.caller, content.workflow, content.inputs, run.state, run.created_at, run.finished_at,
       content.outputs, content.failure, run.parent_id, run.parent_task, run.root_id, run.resumed_from,
       run.idempotency_key, run.digest, content.roots, run.boot, run.uptime, run.epoch
from run join content on content.run = run.n
where run.id = ?;

-- name: select_tasks
-- All rows of a run's tasks.
select key, state, attempts, result, failure, started_at, finished_at, expanded, not_before, metadata
from task where run = ?;

-- name: select_number
-- The number that a run's rows are kept under.
select n from run where id = ?;

-- name: select_events
-- What happened after an event.
select seq, kind, at, task_id, data from event where run = ? and seq > ? order by seq limit ?;

-- name: list_runs
-- A page of the runs without a parent, newest first; a filter that is null lets all pass. One whose task asks waits.
select n, id, caller, name, shown, created_at, finished_at, failure, parent_id, parent_task, resumed_from, digest, owner
from (select *, iif(state = 'running' and exists (select 1 from task where task.run = n and task.state = 'waiting'),
                    'waiting', state) as shown
      from run
      where parent_id is null and n < :before and (:caller is null or caller = :caller)
        and (:state is null or shown = :state) and (:name is null or name = :name)
      order by n desc limit :limit) as run
join content on content.run = run.n
order by n desc;

-- name: list_children
-- The same of the children of one run.
select n, id, caller, name, shown, created_at, finished_at, failure, parent_id, parent_task, resumed_from, digest, owner
from (select *, iif(state = 'running' and exists (select 1 from task where task.run = n and task.state = 'waiting'),
                    'waiting', state) as shown
      from run
      where parent_id = :parent_id and n < :before and (:caller is null or caller = :caller)
        and (:state is null or shown = :state) and (:name is null or name = :name)
      order by n desc limit :limit) as run
join content on content.run = run.n
order by n desc;

-- name: select_cached
-- The newest result under a digest that may still be used.
select task.result, run.id, cache.key
from cache join run on run.n = cache.run join task on task.run = cache.run and task.key = cache.key
where cache.digest = ? and run.caller = ? and cache.expires_at > ? and task.state = 'completed'
order by task.finished_at desc, run.n desc limit 1;

-- name: beat
-- A sign of life; one who was away so long that it was forgotten is there again.
insert into owner (id, boot, pid, process, beat) values (?, ?, ?, ?, ?)
on conflict do update set beat = excluded.beat;

-- name: select_owners
-- All processes that ever gave a sign of life and may still own runs.
select id, boot, pid, process, beat from owner;

-- name: delete_owner
-- One that is gone, once nobody has to know whose runs those were.
delete from owner
where id = ? and not exists (select 1 from run where owner = owner.id and over = 0);

-- name: release_all
-- Anybody may carry on what this process had.
update run set owner = null where owner = ? and over = 0;

-- name: select_owned
-- The open runs of a process.
select id, epoch from run where owner = ? and over = 0;

-- name: select_orphans
-- Open runs that are in nobody's hands; a child only where its parent is over, which has left it behind.
select run.id, content.workflow from run indexed by run_open join content on content.run = run.n
where run.over = 0 and run.state <> 'waiting'
  and (run.parent_id is null or exists (select 1 from run as parent where parent.id = run.parent_id and parent.over = 1))
  and run.n > coalesce((select n from run where id = :after), 0)
  and (run.owner is null or run.owner not in (select value from json_each(:living)))
order by run.n limit :limit;

-- name: find_claim
-- What decides whether a run may be claimed.
select id, state, owner, coalesce(root_id, id) from run where id = ?;

-- name: select_family
-- The open descendants of a run that has no parent.
select n, id, parent_id from run where root_id = ? and over = 0;

-- name: claim_run
-- It is ours, and whoever had it can't write any more.
update run set owner = ?, epoch = epoch + 1 where id = ?;

-- name: insert_request
-- A request for whoever carries an open run out.
insert into request (run, kind, body)
select n, ?, ? from run where id = ? and over = 0;

-- name: select_requests
-- What is asked of the runs of a process.
select run.id, request.kind, request.body from request join run on run.n = request.run
where run.owner = ? and run.over = 0 order by request.n;

-- name: select_workflow
-- A saved workflow.
select body, version, created_at, updated_at from workflow where caller = ? and name = ?;

-- name: select_workflows
-- All that a caller saved.
select body, version, created_at, updated_at from workflow where caller = ? order by name;

-- name: select_workflows_state
-- What differs after anybody has saved, changed or deleted one.
select group_concat(json_array(caller, name, version, updated_at)) from workflow;

-- name: put_workflow
-- A workflow under its name.
insert or replace into workflow (caller, name, body, version, created_at, updated_at) values (?, ?, ?, ?, ?, ?);

-- name: delete_workflow
-- A saved workflow is forgotten.
delete from workflow where caller = ? and name = ?;

-- name: select_old
-- Runs that ended before, without an open descendant; first what ended first.
select n, id from run
where parent_id is null and over = 1 and finished_at < :before
  and not exists (select 1 from run as child
                  where child.root_id = run.id and child.over = 0)
order by finished_at, n limit :limit;

-- name: select_surplus
-- Runs that are over beyond the last so many, without an open descendant.
select n, id from run
where n in (select n from run
            where parent_id is null and over = 1
            order by finished_at desc, n desc limit -1 offset :keep)
  and not exists (select 1 from run as child
                  where child.root_id = run.id and child.over = 0)
limit :limit;

-- name: select_descendants
-- All descendants of a run that has no parent.
select n from run where root_id = ?;

-- name: forget_run
-- The row that makes a run visible.
delete from run where n = ?;

-- name: forget_content
-- What it was given, and what it ended with.
delete from content where run = ?;

-- name: retire_numbers
-- No new run gets a number up to this one.
update identity set retired = max(retired, ?);

-- name: forget_cache
-- Its results can't be used again.
delete from cache where run = ?;

-- name: insert_garbage
-- Its tasks and events are left to be deleted.
insert into garbage (run) values (?);

-- name: select_garbage
-- A forgotten run that still has rows.
select run from garbage limit 1;

-- name: sweep_events
-- Some events of a forgotten run.
delete from event where run = :run and seq in (select seq from event where run = :run order by seq limit :limit);

-- name: sweep_tasks
-- Some tasks of a forgotten run.
delete from task where run = :run and key in (select key from task where run = :run order by key limit :limit);

-- name: delete_garbage
-- Nothing is left of it.
delete from garbage where run = ?;

-- name: delete_expired
-- Results that can't be used again.
delete from cache where expires_at <= ?;

-- name: select_identity
-- Which database this is.
select id, generation from identity;

-- name: next_generation
-- The file was written anew.
update identity set generation = generation + 1;
