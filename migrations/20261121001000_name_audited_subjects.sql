-- Jobs have numbers and queues have names, where everything else has a UUID: `subject` says which job or queue an
-- action was about, so that a tenant finds in its trail what was done to its jobs, and by whom.
-- Without a default or a check no row is read or rewritten while the table is locked.
ALTER TABLE audit_log ADD COLUMN subject text;
