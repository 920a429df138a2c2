//! Finding patients: all by name, or those that are searched for.

use deserr::Deserr;
use sqlx::types::Json;
use utoipa::IntoParams;

use super::patient::{Patient, select_patients};
use crate::{
    address::PostalAddress,
    db::TenantTx,
    error::{Invalid, Result},
    field::{Language, Phone, SearchText},
    ids::PatientId,
    page::{Count, Page, PageQuery},
};

/// Which patients, by name, email or telephone number.
#[derive(Debug, Default, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct PatientQuery {
    /// Words of the name (accents, case and a small slip do not matter), an address or a number.
    #[deserr(default)]
    #[param(value_type = Option<String>, example = "helene garcia")]
    pub search: Option<SearchText>,
    /// Number of the page, from 1.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, example = 1)]
    pub page: Count<1, 100_000>,
    /// Rows on a page, 1 to 100.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    pub limit: Count<50, 100>,
}

/// A page of patients: the best matches first where something is searched, by name otherwise. Only where nobody's name holds what is
/// searched is a slip looked for, which takes much longer.
pub async fn list(tx: &mut TenantTx, query: &PatientQuery) -> Result<Page<Patient>> {
    let page = PageQuery { page: query.page, limit: query.limit };
    let Some(search) = query.search.as_ref().map(SearchText::as_str).filter(|search| !search.is_empty())
    else {
        return all(tx, page).await;
    };
    let mut found = matching(tx, search).await?;
    if found.is_empty() {
        found = similar(tx, search).await?;
    }
    page_of(tx, &found, page).await
}

/// A page of those that were found, in their order.
async fn page_of(tx: &mut TenantTx, found: &[PatientId], page: PageQuery) -> Result<Page<Patient>> {
    let ids: Vec<_> = found.iter().map(|id| id.0).collect();
    let rows = select_patients!(
        "WHERE tenant_id = $1 AND id = ANY($2) ORDER BY array_position($2, id) LIMIT $3 OFFSET $4",
        tx.tenant().0,
        &ids,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    let total = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    Ok(Page::new(rows.into_iter().map(Patient::from).collect(), page, total))
}

async fn all(tx: &mut TenantTx, page: PageQuery) -> Result<Page<Patient>> {
    let tenant = tx.tenant().0;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM patients WHERE tenant_id = $1 AND deleted_at IS NULL"#,
        tenant
    )
    .fetch_one(tx.conn())
    .await?;
    // In the order of an index, so that only the rows up to the page are read.
    let rows = select_patients!(
        "WHERE tenant_id = $1 AND deleted_at IS NULL
         ORDER BY fold(last_name), fold(first_name), id LIMIT $2 OFFSET $3",
        tenant,
        page.limit(),
        page.offset(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Page::new(rows.into_iter().map(Patient::from).collect(), page, total))
}

/// Those whose folded name holds every word, or whose address or number it is; the best first.
async fn matching(tx: &mut TenantTx, search: &str) -> Result<Vec<PatientId>> {
    let number = Phone::parse(search).ok();
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: PatientId" FROM patients
           WHERE tenant_id = $1 AND deleted_at IS NULL
             AND (email = lower($2) OR phone = $3 OR search LIKE ALL (patterns_of_search($2)))
           ORDER BY word_similarity(fold($2), search) DESC, fold(last_name), fold(first_name), id"#,
        tx.tenant().0,
        search,
        number.as_ref().map(Phone::as_str),
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Those whose folded name holds every word, or one that has most of its trigrams. Trigrams take long to compare, so only names are
/// that hold the word's first or last two letters: a slip leaves one end whole.
async fn similar(tx: &mut TenantTx, search: &str) -> Result<Vec<PatientId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: PatientId" FROM patients
           WHERE tenant_id = $1 AND deleted_at IS NULL
             AND NOT EXISTS (SELECT FROM regexp_split_to_table(fold($2), '\s+') AS word
                             WHERE strpos(search, word) = 0
                               AND (length(word) > 3 AND strpos(search, left(word, 2)) = 0
                                                     AND strpos(search, right(word, 2)) = 0
                                    OR word_similarity(word, search) < 0.4))
           ORDER BY word_similarity(fold($2), search) DESC, fold(last_name), fold(first_name), id"#,
        tx.tenant().0,
        search,
    )
    .fetch_all(tx.conn())
    .await?)
}
