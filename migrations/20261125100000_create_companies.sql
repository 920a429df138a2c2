-- Companies: tenants that employ people who consult the platform's practices. What a tenant has not anyway stands here.
-- A company is found inactive; the platform validates it, and only then may it bring in employees and may these book.
CREATE TABLE companies (
    tenant_id uuid PRIMARY KEY REFERENCES tenants (id),
    -- Made of the name by the platform, which alone founds companies: that one is taken tells a company nothing.
    slug text NOT NULL CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    legal_name text NOT NULL CHECK (length(legal_name) BETWEEN 1 AND 200),
    siret text CHECK (siret ~ '^[0-9]{14}$'),
    -- The domains of which employees' addresses must be; none allows every one.
    email_domains text[] NOT NULL DEFAULT '{}',
    sector text,
    -- How many people it employs.
    size integer CHECK (size > 0),
    validated_at timestamptz,
    validated_by uuid REFERENCES users (id),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((validated_at IS NULL) = (validated_by IS NULL))
);
CREATE UNIQUE INDEX companies_slug ON companies (slug);

-- Which practices a company's employees may book with: agreed outside, noted by the platform.
CREATE TABLE company_practices (
    tenant_id uuid NOT NULL REFERENCES companies (tenant_id),
    practice_id uuid NOT NULL REFERENCES tenants (id),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, practice_id)
);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['companies', 'company_practices'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY system_all ON %I TO permanence_system USING (true)', t);
    END LOOP;
END
$$;
CREATE POLICY tenant_rows ON companies TO permanence_tenant USING (tenant_id = current_tenant());
GRANT SELECT ON companies TO permanence_tenant;
GRANT SELECT, INSERT, UPDATE ON companies TO permanence_system;
GRANT SELECT, INSERT ON company_practices TO permanence_system;
