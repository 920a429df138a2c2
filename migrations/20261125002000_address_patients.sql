-- Where patients live, which their invoices tell. A document, because it is only ever read whole; the domain's type holds
-- its rules.
ALTER TABLE patients ADD COLUMN address jsonb CHECK (jsonb_typeof(address) = 'object');
