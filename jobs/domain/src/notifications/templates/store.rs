//! Templates as a practice sees and changes them: the words in force, the standard ones, what was before.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{NewTemplate, TemplateKey, preview::sample};
use crate::{
    audit,
    db::TenantTx,
    error::{Error, Result},
    field::Language,
    ids::UserId,
    notifications::{
        Channel, Purpose,
        content::{PLACEHOLDERS, Template, check, standard},
    },
    tenants,
};

/// Every message and whose words it has.
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateList {
    /// One for each purpose, way and language.
    pub items: Vec<TemplateSummary>,
}

/// A message and whose words it has.
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateSummary {
    /// What the message is for.
    pub purpose: Purpose,
    /// How it travels.
    pub channel: Channel,
    /// Its language.
    pub language: Language,
    /// Whether the practice's own words are in force.
    pub own: bool,
    /// Counts the changes, for `If-Match`; 0 before the first.
    pub version: i32,
    /// Last changed at.
    pub updated_at: Option<DateTime<Utc>>,
}

/// The words of one message.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageTemplate {
    /// What the message is for.
    pub purpose: Purpose,
    /// How it travels.
    pub channel: Channel,
    /// Its language.
    pub language: Language,
    /// Whether the practice's own words are in force.
    pub own: bool,
    /// Counts the changes, for `If-Match`; 0 before the first.
    pub version: i32,
    /// The subject in force, of a mail.
    pub subject: Option<String>,
    /// The text in force.
    pub body: String,
    /// Whether letters that cost a lot are replaced.
    pub transliterate: bool,
    /// The standard words, to begin with.
    pub standard: StandardWords,
    /// The placeholders that the text may name, by what the practice discloses.
    pub placeholders: Vec<&'static str>,
    /// The practice's versions, the newest first, at most fifty.
    pub history: Vec<TemplateVersion>,
}

/// The words of a message that a practice has not changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct StandardWords {
    /// The subject, of a mail.
    pub subject: Option<String>,
    /// The text.
    pub body: String,
}

/// A version of a practice's words.
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateVersion {
    /// Its number.
    pub version: i32,
    /// The subject, of a mail.
    pub subject: Option<String>,
    /// The text; `null` where it is the return to the standard words.
    pub body: Option<String>,
    /// Whether letters that cost a lot are replaced.
    pub transliterate: bool,
    /// Chosen at.
    pub created_at: DateTime<Utc>,
    /// The member who chose it.
    pub created_by: Option<UserId>,
}

/// Every message, and whose words it has.
pub async fn list(tx: &mut TenantTx) -> Result<TemplateList> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (purpose, channel, language)
                  purpose AS "purpose: Purpose", channel AS "channel: Channel", language AS "language: Language",
                  version, body IS NOT NULL AS "own!", created_at
           FROM message_templates WHERE tenant_id = $1
           ORDER BY purpose, channel, language, version DESC"#,
        tx.tenant().0,
    )
    .fetch_all(tx.conn())
    .await?;
    let of = |key: TemplateKey| {
        let newest = rows.iter().find(|row| {
            TemplateKey { purpose: row.purpose, channel: row.channel, language: row.language } == key
        });
        TemplateSummary {
            purpose: key.purpose,
            channel: key.channel,
            language: key.language,
            own: newest.is_some_and(|row| row.own),
            version: newest.map_or(0, |row| row.version),
            updated_at: newest.map(|row| row.created_at),
        }
    };
    Ok(TemplateList { items: TemplateKey::all().map(of).collect() })
}

/// The words of one message.
pub async fn get(tx: &mut TenantTx, key: TemplateKey) -> Result<MessageTemplate> {
    let TemplateKey { purpose, channel, language } = key;
    let settings = tenants::settings(tx).await?;
    let history = sqlx::query_as!(
        TemplateVersion,
        r#"SELECT version, subject, body, transliterate, created_at, created_by AS "created_by: UserId"
           FROM message_templates
           WHERE tenant_id = $1 AND purpose = $2 AND channel = $3 AND language = $4
           ORDER BY version DESC LIMIT 50"#,
        tx.tenant().0,
        purpose as Purpose,
        channel as Channel,
        language as Language,
    )
    .fetch_all(tx.conn())
    .await?;
    let words = standard(purpose, channel, language);
    let standard = StandardWords {
        subject: words.subject.map(str::to_owned),
        body: words.base(settings.disclose_specialty, settings.disclose_reason),
    };
    let newest = history.first();
    let own = newest.and_then(|newest| newest.body.as_ref().map(|body| (newest, body)));
    let disclosed = |name: &&'static str| match *name {
        "specialty" => settings.disclose_specialty,
        "reason" => settings.disclose_reason,
        _ => true,
    };
    Ok(MessageTemplate {
        purpose,
        channel,
        language,
        own: own.is_some(),
        version: newest.map_or(0, |newest| newest.version),
        subject: own.map_or_else(|| standard.subject.clone(), |(newest, _)| newest.subject.clone()),
        body: own.map_or_else(|| standard.body.clone(), |(_, body)| body.clone()),
        transliterate: newest.is_some_and(|newest| newest.transliterate),
        standard,
        placeholders: PLACEHOLDERS.into_iter().filter(disclosed).collect(),
        history,
    })
}

/// Puts the practice's own words in force, once they have passed every check.
pub async fn put(
    tx: &mut TenantTx,
    key: TemplateKey,
    version: i32,
    new: &NewTemplate,
) -> Result<MessageTemplate> {
    let sample = sample(tx, key.language).await?;
    let template = new.template(version);
    check(&template, key.purpose, key.channel, key.language, &sample)?;
    add(tx, key, version, Some(&template)).await?;
    audit::record(tx, "message_template.update", "message_template", None).await?;
    get(tx, key).await
}

/// Puts the standard words in force again; where they are, nothing changes.
pub async fn reset(tx: &mut TenantTx, key: TemplateKey) -> Result<()> {
    let present = get(tx, key).await?;
    if !present.own {
        return Ok(());
    }
    add(tx, key, present.version, None).await?;
    audit::record(tx, "message_template.reset", "message_template", None).await
}

/// Adds the version after the one that was read; fails if another came between.
async fn add(
    tx: &mut TenantTx,
    TemplateKey { purpose, channel, language }: TemplateKey,
    read: i32,
    template: Option<&Template>,
) -> Result<()> {
    let (tenant, now, actor) = (tx.tenant(), tx.now(), tx.actor());
    // Two that read the same version meet at the primary key; one that read an older one finds no row to go by.
    let added = sqlx::query!(
        "INSERT INTO message_templates (tenant_id, purpose, channel, language, version, subject, body, transliterate,
                                        created_at, created_by)
         SELECT $1, $2, $3, $4, $5::integer + 1, $6, $7, $8, $9, $10
         WHERE $5 = (SELECT coalesce(max(version), 0) FROM message_templates
                     WHERE tenant_id = $1 AND purpose = $2 AND channel = $3 AND language = $4)
         ON CONFLICT DO NOTHING",
        tenant.0,
        purpose as Purpose,
        channel as Channel,
        language as Language,
        read,
        template.and_then(|template| template.subject.as_deref()),
        template.map(|template| template.body.as_str()),
        template.is_some_and(|template| template.transliterate),
        now,
        actor.user.map(|user| user.0),
    )
    .execute(tx.conn())
    .await?;
    if added.rows_affected() == 0 {
        return Err(Error::Changed("message template"));
    }
    Ok(())
}
