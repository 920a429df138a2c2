-- A sign-in checks the password before its transaction, because hashing takes a while. The version tells whether it was replaced meanwhile:
-- whoever checked the old one opens no session after it. Hashing the same password anew is no new version.
ALTER TABLE users ADD COLUMN password_version integer NOT NULL DEFAULT 0;
