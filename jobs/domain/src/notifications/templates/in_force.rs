//! The words in force, for whoever sends: one statement, an index read from its end.

use super::TemplateKey;
use crate::{
    db::TenantTx,
    error::Result,
    field::Language,
    notifications::{Channel, Purpose, content::Template},
};

/// The practice's own words for a message; `None` where the standard words are in force.
pub async fn in_force(
    tx: &mut TenantTx,
    purpose: Purpose,
    channel: Channel,
    language: Language,
) -> Result<Option<Template>> {
    let row = sqlx::query!(
        "SELECT version, subject, body, transliterate FROM message_templates
         WHERE tenant_id = $1 AND purpose = $2 AND channel = $3 AND language = $4
         ORDER BY version DESC LIMIT 1",
        tx.tenant().0,
        purpose as Purpose,
        channel as Channel,
        language as Language,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.and_then(|row| {
        let (version, subject, transliterate) = (row.version, row.subject, row.transliterate);
        row.body.map(|body| Template { version, subject, body, transliterate })
    }))
}

/// All of a practice's own words that are in force, for whoever sends many messages in one transaction.
#[derive(Debug, Clone, Default)]
pub struct InForce(Vec<(TemplateKey, Template)>);

impl InForce {
    /// The practice's own words for a message; `None` where the standard words are in force.
    pub fn get(&self, purpose: Purpose, channel: Channel, language: Language) -> Option<&Template> {
        let wanted = TemplateKey { purpose, channel, language };
        self.0.iter().find(|(key, _)| *key == wanted).map(|(_, template)| template)
    }
}

/// The practice's own words for every message, at once.
pub async fn all_in_force(tx: &mut TenantTx) -> Result<InForce> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (purpose, channel, language)
                  purpose AS "purpose: Purpose", channel AS "channel: Channel", language AS "language: Language",
                  version, subject, body, transliterate
           FROM message_templates WHERE tenant_id = $1
           ORDER BY purpose, channel, language, version DESC"#,
        tx.tenant().0,
    )
    .fetch_all(tx.conn())
    .await?;
    let own = rows.into_iter().filter_map(|row| {
        let key = TemplateKey { purpose: row.purpose, channel: row.channel, language: row.language };
        let (version, subject, transliterate) = (row.version, row.subject, row.transliterate);
        row.body.map(|body| (key, Template { version, subject, body, transliterate }))
    });
    Ok(InForce(own.collect()))
}
