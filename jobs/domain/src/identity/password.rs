//! A password as a person chooses it.

use utoipa::ToSchema;

use crate::{
    config::Secret,
    crypto,
    db::SystemTx,
    error::{Problem, Result},
    ids::UserId,
    read_from_text,
};

/// A new password: 8 to 128 characters with a lower-case and an upper-case letter, a digit and another character
/// (requirements ID-3). It is never shown again, not even in the error about it.
#[derive(Debug, Clone, ToSchema)]
#[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
pub struct Password(Secret);

impl Password {
    /// Reads a password by the rule.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let has = |kind: fn(char) -> bool| text.chars().any(kind);
        let strong = (8..=128).contains(&text.chars().count())
            && has(char::is_lowercase)
            && has(char::is_uppercase)
            && has(|c| c.is_ascii_digit())
            && has(|c| !c.is_alphanumeric());
        if strong {
            return Ok(Self(Secret::new(text)));
        }
        Err(Problem::new(
            "",
            "weak_password",
            "8 to 128 characters with a lower-case and an upper-case letter, a digit and a special character",
        ))
    }

    /// The password itself.
    pub fn secret(&self) -> Secret {
        self.0.clone()
    }
}

read_from_text!(Password);

/// Gives a person a password; its hash alone is kept.
pub(super) async fn set_password(tx: &mut SystemTx, user: UserId, password: Secret) -> Result<()> {
    let hash = crypto::hash_password(password).await?;
    sqlx::query!(
        "UPDATE users SET password_hash = $2, password_version = password_version + 1 WHERE id = $1",
        user.0,
        hash
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_character_is_needed_and_nothing_is_echoed() {
        assert!(Password::parse("Bonjour1!").is_ok());
        for weak in ["Bonj1!", "bonjour1!", "BONJOUR1!", "Bonjour!!", "Bonjour11"] {
            let problem = Password::parse(weak).unwrap_err();
            assert_eq!((problem.code, problem.read), ("weak_password", None), "{weak}");
        }
    }
}
