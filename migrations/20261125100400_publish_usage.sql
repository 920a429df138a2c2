-- What was published of a company's usage without names. A person belongs to one cohort of ten or more at the most, and for
-- ever: every published figure is a sum over whole cohorts, so no two of them differ by fewer than ten people. A month is
-- published once and stays as it was. docs/decisions/0012 has the rule and its reason.
CREATE TABLE usage_cohorts (
    tenant_id uuid NOT NULL REFERENCES companies (tenant_id),
    id uuid NOT NULL,
    department text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE TABLE usage_cohort_members (
    tenant_id uuid NOT NULL,
    -- Not bound to the membership: whoever leaves the company stays in the cohort, or the cohort would shrink.
    user_id uuid NOT NULL,
    cohort_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, cohort_id) REFERENCES usage_cohorts (tenant_id, id)
);
CREATE TABLE usage_publications (
    tenant_id uuid NOT NULL REFERENCES companies (tenant_id),
    -- The first day of the month.
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    as_of timestamptz NOT NULL,
    published_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, month)
);
CREATE TABLE usage_publication_groups (
    tenant_id uuid NOT NULL,
    month date NOT NULL,
    department text NOT NULL,
    -- The distinct people whose consultations are counted.
    employees integer NOT NULL CHECK (employees >= 10),
    consultations bigint NOT NULL,
    minutes bigint NOT NULL,
    PRIMARY KEY (tenant_id, month, department),
    FOREIGN KEY (tenant_id, month) REFERENCES usage_publications (tenant_id, month)
);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['usage_cohorts', 'usage_cohort_members', 'usage_publications', 'usage_publication_groups'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant_rows ON %I TO permanence_tenant USING (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY system_all ON %I TO permanence_system USING (true)', t);
        -- Added and never changed.
        EXECUTE format('GRANT SELECT, INSERT ON %I TO permanence_tenant', t);
        EXECUTE format('GRANT SELECT ON %I TO permanence_system', t);
    END LOOP;
END
$$;
