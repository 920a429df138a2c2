//! Where a sealed text stands: bound to it, so that it opens nowhere else.

use uuid::Uuid;

use crate::ids::TenantId;

/// A version of a row of a table of a tenant.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Whose row.
    pub tenant: TenantId,
    /// The table, or what stands for one.
    pub table: &'static str,
    /// The row.
    pub row: Uuid,
    /// Its version; 1 where it never changes.
    pub version: i32,
}

impl Place {
    /// The additional authenticated data: fixed lengths, the table last, so that no two places give the same bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let (tenant, row) = (self.tenant.0.into_bytes(), self.row.into_bytes());
        [&b"permanence/1"[..], &tenant, &row, &self.version.to_be_bytes(), self.table.as_bytes()].concat()
    }
}
