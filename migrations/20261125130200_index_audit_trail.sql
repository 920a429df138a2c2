-- The trail is read newest first, by its time: of one tenant, of all, of somebody, of one action. Each index gives a page
-- without a sort, however deep; the number tells entries of the same instant apart. (tenant_id, id) stays: verifying and
-- retention go by the number.
CREATE INDEX audit_log_of_tenant_by_time ON audit_log (tenant_id, at, id);
CREATE INDEX audit_log_by_time ON audit_log (at, id);
CREATE INDEX audit_log_of_actor_by_time ON audit_log (actor_id, at, id) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_log_of_action_by_time ON audit_log (action, at, id);
