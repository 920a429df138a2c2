-- The mails about the erasure of an account: that it was asked for, taken back, that it waits for something, and the last one.
ALTER TABLE account_mails DROP CONSTRAINT account_mails_kind_check;
ALTER TABLE account_mails ADD CHECK (kind IN ('password_reset', 'password_changed', 'deletion_requested', 'deletion_cancelled',
                                              'deletion_held', 'account_erased'));
