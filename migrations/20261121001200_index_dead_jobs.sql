-- Finds the jobs that died of late without reading history. Only dead jobs have an entry, so ending the others costs
-- nothing more; partitions to come get it as well. While it is built history is read once, and ends of jobs wait.
CREATE INDEX job_history_dead ON queue.job_history (queue, finished_at) WHERE state = 'discarded';
