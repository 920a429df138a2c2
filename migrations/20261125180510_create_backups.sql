-- What the backups of the platform came to: one row for each that was begun. None holds anything of a tenant. The truth about what
-- can be restored lies beside the backups, in their manifests: this table is lost with the database.
CREATE TABLE backups (
    id uuid PRIMARY KEY,
    status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'completed', 'failed', 'removed')),
    started_at timestamptz NOT NULL,
    -- Noted before it is used: whoever comes after can abort it.
    upload_id text,
    ended_at timestamptz,
    -- Of the sealed object.
    size_bytes bigint CHECK (size_bytes > 0),
    sha256 bytea CHECK (octet_length(sha256) = 32),
    -- Which of the backup keys wraps its own.
    key_id text,
    -- When it was restored somewhere and found to hold what the database held.
    verified_at timestamptz,
    removed_at timestamptz,
    -- Why it came to nothing: a stable word.
    error text,
    CHECK ((status = 'running') = (ended_at IS NULL)),
    CHECK (status NOT IN ('completed', 'removed') OR (size_bytes, sha256, key_id) IS NOT NULL),
    CHECK ((status = 'failed') = (error IS NOT NULL)),
    CHECK ((status = 'removed') = (removed_at IS NOT NULL))
);
CREATE INDEX backups_by_end ON backups (ended_at DESC) WHERE status = 'completed';
CREATE INDEX backups_running ON backups (id) WHERE status = 'running';
GRANT SELECT, INSERT, UPDATE ON backups TO permanence_system;

-- Apart from everything else: only this pool has the keys of backups and may read every row.
SELECT queue.create_queue('backups');
