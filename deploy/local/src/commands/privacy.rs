//! The command line to certificates of erasures: they are checked here, without a platform and without a network.

use std::{fs, path::PathBuf};

use clap::Subcommand;
use permanence_domain::{
    config::Env,
    privacy::{Checked, SignedCertificate, Signer, check_certificate},
};

use super::Refusal;
use crate::{banner, secrets};

/// What a person wants of certificates.
#[derive(Debug, Subcommand)]
pub(crate) enum PrivacyCommand {
    /// Check the certificate of an erasure, offline
    Verify {
        /// The certificate's file, JSON
        certificate: PathBuf,
        /// The platform's public key, 64 hexadecimal digits: without it only that the certificate is whole is known
        #[arg(long)]
        key: Option<String>,
    },
    /// Show the public key of `CERTIFICATE_KEY`, or of the platform that is kept here
    Key,
}

/// Carries a command out.
pub(super) fn run(folder: &std::path::Path, command: PrivacyCommand, json: bool) -> Result<(), Refusal> {
    match command {
        PrivacyCommand::Verify { certificate, key } => verify(&certificate, key.as_deref(), json),
        PrivacyCommand::Key => {
            let mut env = Env::of_process();
            for (name, value) in secrets::find(&folder.join("keys.env"))?.unwrap_or_default() {
                env.set_default(&name, value);
            }
            let signer = Signer::read(&mut env);
            let signer = env.finish(signer).map_err(|error| Refusal::Failed(error.into()))?;
            banner::say(&signer.public_key());
            Ok(())
        }
    }
}

fn verify(file: &std::path::Path, key: Option<&str>, json: bool) -> Result<(), Refusal> {
    let bytes = fs::read(file)
        .map_err(|error| Refusal::Failed(format!("cannot read {}: {error}", file.display()).into()))?;
    let (checked, certificate) = check_certificate(&bytes, key);
    let (word, sentence) = match checked {
        Checked::Genuine => ("genuine", "The certificate is as the platform signed it."),
        Checked::Unknown => (
            "unknown_key",
            "The certificate is whole. Compare its key with the platform's: `permanence privacy key`.",
        ),
        Checked::OtherKey => ("other_key", "The certificate was signed by another key than the one given."),
        Checked::Forged => ("forged", "This is no certificate, or not as it was signed."),
    };
    if json {
        banner::say(&serde_json::json!({ "checked": word, "certificate": certificate }).to_string());
    } else {
        if let Some(certificate) = &certificate {
            banner::say(&told(certificate));
        }
        banner::say(sentence);
    }
    if matches!(checked, Checked::Genuine | Checked::Unknown) {
        Ok(())
    } else {
        Err(Refusal::Failed(format!("{} does not hold", file.display()).into()))
    }
}

/// What a certificate states, in lines.
fn told(signed: &SignedCertificate) -> String {
    let stated = &signed.certificate;
    let place = if stated.tenant_id.is_nil() {
        format!("account      {}", stated.subject_id)
    } else {
        format!("practice     {} ({})", stated.tenant_name, stated.tenant_id)
    };
    let mut lines = vec![
        format!("erasure      {}", stated.erasure_id),
        place,
        format!("asked for    {}", stated.requested_at),
        format!("erased       {}", stated.erased_at),
        format!("certified    {}", stated.certified_at),
        format!(
            "searched     {} tables, {} rows, {} objects; {} identifiers found",
            stated.tables_searched, stated.rows_searched, stated.objects_searched, stated.identifiers_found
        ),
    ];
    lines.extend(
        stated.destroyed.iter().map(|gone| format!("destroyed    {} {} {}", gone.count, gone.what, gone.how)),
    );
    lines.extend(stated.kept.iter().map(|kept| {
        let until = kept.until.map_or_else(|| "without a name".to_owned(), |day| format!("until {day}"));
        format!("kept         {} {}: {}, {until}", kept.count, kept.what, kept.law)
    }));
    lines.extend(stated.not_searched.iter().map(|left| format!("left out     {left}")));
    lines.push(format!("key          {}", signed.public_key));
    lines.join("\n")
}
