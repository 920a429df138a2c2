-- How much each worker has done of late, written with its heartbeat: what a queue does in a minute is the sum over few
-- rows, where counting ended jobs would read history. A worker of the release before writes nothing, and counts as idle.
ALTER TABLE queue.processes
    ADD COLUMN started_per_second double precision NOT NULL DEFAULT 0,
    ADD COLUMN finished_per_second double precision NOT NULL DEFAULT 0;
