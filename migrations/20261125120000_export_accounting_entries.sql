-- The Fichier des Écritures Comptables is a text of its own kind, with neither a profile nor a name that we may choose: the
-- name is fixed when it is asked for, because the practice's identity may change while it lies there.
ALTER TABLE exports
    ADD COLUMN file_stem text CHECK (file_stem ~ '^[A-Za-z0-9_-]{1,60}$'),
    DROP CONSTRAINT exports_format_check,
    ADD CONSTRAINT exports_format_check CHECK (format IN ('csv', 'zip', 'xlsx', 'txt')),
    DROP CONSTRAINT exports_check,
    ADD CONSTRAINT exports_profile_of_format
        CHECK ((profile IS NULL) = (format IN ('xlsx', 'txt') OR kind = 'accounting_entries'));
