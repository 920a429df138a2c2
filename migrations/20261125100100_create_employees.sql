-- Employees: members of a company, with what an employer writes down of them. Nothing of their care is here, nor within a
-- company's reach.

-- A member who is suspended keeps the membership and can do nothing with it.
ALTER TABLE memberships ADD COLUMN suspended_at timestamptz;
GRANT UPDATE (suspended_at) ON memberships TO permanence_tenant;

CREATE TABLE employees (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    first_name text NOT NULL CHECK (length(first_name) BETWEEN 1 AND 100),
    last_name text NOT NULL CHECK (length(last_name) BETWEEN 1 AND 100),
    department text CHECK (length(department) BETWEEN 1 AND 100),
    position text CHECK (length(position) BETWEEN 1 AND 100),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES memberships (tenant_id, user_id) ON DELETE CASCADE
);

ALTER TABLE employees ENABLE ROW LEVEL SECURITY;
ALTER TABLE employees FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON employees TO permanence_tenant USING (tenant_id = current_tenant());
CREATE POLICY system_all ON employees TO permanence_system USING (true);
GRANT SELECT, INSERT, UPDATE ON employees TO permanence_tenant;
-- Updated by nobody there: the right is what `FOR NO KEY UPDATE` takes, by which one employee's bookings take turns.
GRANT SELECT, UPDATE (version) ON employees TO permanence_system;
