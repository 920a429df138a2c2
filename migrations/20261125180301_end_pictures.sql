-- The pictures of somebody who was erased are kept as long as the law wants it, and then removed: first their objects, then their rows.
-- Only a row whose time is over and whose objects are gone can be deleted.
GRANT DELETE ON images TO permanence_tenant;
CREATE POLICY ended_alone ON images AS RESTRICTIVE FOR DELETE TO permanence_tenant
    USING (reason = 'retention_over' AND leftovers = '{}');
