//! The HTTP client of what a process tells of itself. It never follows a redirect: what is told goes where it was configured to.

use std::time::Duration;

use reqwest::{Client, redirect};
use url::{Host, Url};

/// A client for one address; `None`, and a line in the log, where there can be none.
pub(super) fn client(url: &Url, timeout: Duration) -> Option<Client> {
    // An error here means that a provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder().timeout(timeout).redirect(redirect::Policy::none());
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if here {
        builder = builder.no_proxy();
    }
    builder.build().inspect_err(|error| tracing::error!(%error, "no HTTP client")).ok()
}
