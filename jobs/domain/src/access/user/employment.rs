//! The user as an employee: what their company wrote down of them, and the consultations that they had. Never a note of care: those are
//! the practice's to hand over, to them as its patient.

use super::{UserSection, rows};
use crate::access::{
    patient::CONSULTATION,
    section::{
        Holds::{Moment, Text},
        Section, Shape, code, field, words,
    },
};

pub(super) static EMPLOYMENTS: UserSection = Section {
    shape: Shape {
        name: "employments",
        title: words("Vous, comme salarié", "You, as an employee"),
        tables: &["employees"],
        fields: &[
            field("company", "Entreprise", "Company", Text),
            field("last_name", "Nom", "Last name", Text),
            field("first_name", "Prénom", "First name", Text),
            field("department", "Service", "Department", Text),
            field("position", "Fonction", "Position", Text),
            field("created_at", "Enregistré le", "Registered on", Moment),
            field("updated_at", "Modifié le", "Changed on", Moment),
            code("tenant_id"),
        ],
    },
    read: rows!(
        r#"SELECT json_build_object('tenant_id', e.tenant_id, 'company', t.name, 'first_name', e.first_name,
               'last_name', e.last_name, 'department', e.department, 'position', e.position, 'created_at', e.created_at,
               'updated_at', e.updated_at) AS "row!"
           FROM employees e JOIN tenants t ON t.id = e.tenant_id
           WHERE e.user_id = $1 ORDER BY e.created_at, e.tenant_id"#
    ),
};

pub(super) static CONSULTATIONS: UserSection = Section {
    shape: Shape {
        name: "consultations",
        title: words("Vos consultations", "Your consultations"),
        tables: &["consultations", "consultation_events"],
        fields: CONSULTATION,
    },
    // They lie with practices that the person does not belong to: the function gives those of the transaction's person, who is asked
    // for once more here.
    read: rows!(
        r#"SELECT to_json(c) AS "row!" FROM own_consultations() c
           WHERE current_person() = $1 ORDER BY c.starts_at, c.id"#
    ),
};
