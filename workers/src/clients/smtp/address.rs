//! Where a mail server is, as whom to speak to it and how well to hide the words: all of `SMTP_URL`.
//! It opens no connection.

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::TlsParameters;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::clients::http::is_loopback;

/// When the words are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encryption {
    /// From the first byte (`smtps`).
    Implicit,
    /// After STARTTLS, or nothing is said.
    Required,
    /// After STARTTLS where the server offers it.
    Opportunistic,
    /// Never.
    None,
}

/// A mail server, and how to speak to it.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) encryption: Encryption,
    pub(super) credentials: Option<Credentials>,
    pub(super) tls: TlsParameters,
    /// This machine: its wire needs no hiding.
    pub(super) local: bool,
}

impl Server {
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| format!("not an address: {error}"))?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("names no host")?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        // The `url` crate reads hosts of schemes it does not know as names, IP addresses included.
        let local = url::Host::parse(url.host_str().unwrap_or_default())
            .is_ok_and(|host| is_loopback(&borrowed(&host)));
        let encryption = encryption(&url, local)?;
        let credentials = credentials(&url)?;
        if credentials.is_some() && encryption == Encryption::None && !local {
            return Err("a password must not travel with tls=none".to_owned());
        }
        let port = url.port().unwrap_or(match encryption {
            Encryption::Implicit => 465,
            _ if local => 25,
            _ => 587,
        });
        let tls = TlsParameters::new(host.clone()).map_err(|error| format!("no encryption: {error}"))?;
        Ok(Self { host, port, encryption, credentials, tls, local })
    }
}

fn borrowed(host: &url::Host<String>) -> url::Host<&str> {
    match host {
        url::Host::Domain(name) => url::Host::Domain(name),
        url::Host::Ipv4(address) => url::Host::Ipv4(*address),
        url::Host::Ipv6(address) => url::Host::Ipv6(*address),
    }
}

fn encryption(url: &Url, local: bool) -> Result<Encryption, String> {
    let mut asked = None;
    for (name, value) in url.query_pairs() {
        if name != "tls" {
            return Err(format!("unknown option {name}, did you mean tls?"));
        }
        asked = Some(value.into_owned());
    }
    match (url.scheme(), asked.as_deref()) {
        ("smtps", None | Some("required")) => Ok(Encryption::Implicit),
        ("smtps", Some(_)) => Err("smtps is always encrypted: leave tls out, or use smtp".to_owned()),
        ("smtp", Some("required")) => Ok(Encryption::Required),
        ("smtp", Some("opportunistic")) => Ok(Encryption::Opportunistic),
        ("smtp", Some("none")) => Ok(Encryption::None),
        ("smtp", Some(other)) => Err(format!("tls is none, opportunistic or required, not {other}")),
        ("smtp", None) if local => Ok(Encryption::Opportunistic),
        ("smtp", None) => Ok(Encryption::Required),
        (other, _) => Err(format!("starts with smtp:// or smtps://, not {other}://")),
    }
}

fn credentials(url: &Url) -> Result<Option<Credentials>, String> {
    let Some(password) = url.password().filter(|_| !url.username().is_empty()) else {
        if url.username().is_empty() && url.password().is_none() {
            return Ok(None);
        }
        return Err("needs both a user and a password, or neither".to_owned());
    };
    let decoded = |text| {
        percent_decode_str(text)
            .decode_utf8()
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| "the user or password is not UTF-8".to_owned())
    };
    Ok(Some(Credentials::new(decoded(url.username())?, decoded(password)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> (String, u16, Encryption, Option<Credentials>) {
        let server = Server::parse(url).unwrap();
        (server.host, server.port, server.encryption, server.credentials)
    }

    #[test]
    fn reads_what_operators_write() {
        let anne = || Some(Credentials::new("anne@example.org".to_owned(), "p@ss:/é".to_owned()));
        let host = || "mail.example.org".to_owned();
        for (url, expected) in [
            (
                "smtp://anne%40example.org:p%40ss%3A%2F%C3%A9@mail.example.org",
                (host(), 587, Encryption::Required, anne()),
            ),
            (
                "smtps://anne%40example.org:p%40ss%3A%2F%C3%A9@mail.example.org",
                (host(), 465, Encryption::Implicit, anne()),
            ),
            ("smtp://mail.example.org:25?tls=none", (host(), 25, Encryption::None, None)),
            ("smtp://mail.example.org?tls=opportunistic", (host(), 587, Encryption::Opportunistic, None)),
            ("smtp://127.0.0.1:1025", ("127.0.0.1".to_owned(), 1025, Encryption::Opportunistic, None)),
            ("smtp://[::1]:1025?tls=required", ("::1".to_owned(), 1025, Encryption::Required, None)),
            ("smtp://localhost", ("localhost".to_owned(), 25, Encryption::Opportunistic, None)),
        ] {
            assert_eq!(parsed(url), expected, "{url}");
        }
    }

    #[test]
    fn says_what_is_wrong_without_the_password() {
        for (url, expected) in [
            ("mail.example.org", "not an address: relative URL without a base"),
            ("http://mail.example.org", "starts with smtp:// or smtps://, not http://"),
            ("smtp://mail.example.org?ssl=true", "unknown option ssl, did you mean tls?"),
            ("smtp://mail.example.org?tls=yes", "tls is none, opportunistic or required, not yes"),
            ("smtps://mail.example.org?tls=none", "smtps is always encrypted: leave tls out, or use smtp"),
            ("smtp://anne:s3cret@mail.example.org?tls=none", "a password must not travel with tls=none"),
            ("smtp://anne@mail.example.org", "needs both a user and a password, or neither"),
        ] {
            assert_eq!(Server::parse(url).map(|server| server.host), Err(expected.to_owned()), "{url}");
        }
    }
}
