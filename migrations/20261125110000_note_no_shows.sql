-- When it was noted that the patient did not come, for the rates that a practice looks at. The appointment stays what it
-- was: its time is taken, and it may still be invoiced.
ALTER TABLE appointments ADD COLUMN no_show_at timestamptz;
