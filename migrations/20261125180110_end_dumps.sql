-- The dump and the backup of a migration are sealed, each under a key of its own that is kept here under the tenant's, and they
-- end: when their time is over, when the practice wants it, when somebody is erased. The keys go first, the objects follow.
ALTER TABLE data_migrations
    ADD COLUMN dump_key bytea,
    ADD COLUMN backup_key bytea,
    ADD COLUMN keep_days integer NOT NULL DEFAULT 30 CHECK (keep_days BETWEEN 1 AND 365),
    -- From the end of the migration on.
    ADD COLUMN files_kept_until timestamptz,
    -- From then on nobody opens them.
    ADD COLUMN files_ended_at timestamptz,
    -- Then they are in the object store no more.
    ADD COLUMN files_removed_at timestamptz,
    ADD CHECK (files_ended_at IS NULL OR (dump_key IS NULL AND backup_key IS NULL)),
    ADD CHECK (files_removed_at IS NULL OR files_ended_at IS NOT NULL);
