-- The trace a job belongs to, as W3C Trace Context writes it (`traceparent`): version, trace, span, flags. NULL where nobody
-- traces. It goes with the job through its retries into history, and from a batch to its last job. A column without a default:
-- no table is rewritten.
ALTER TABLE queue.jobs ADD COLUMN traceparent text CHECK (length(traceparent) = 55);
ALTER TABLE queue.job_history ADD COLUMN traceparent text;
ALTER TABLE queue.batches ADD COLUMN traceparent text CHECK (length(traceparent) = 55);
