//! Where a request comes from: the other end of the connection or, where that is a proxy of ours, whom it heard.

use std::net::{IpAddr, SocketAddr};

use axum::{extract::ConnectInfo, http::request::Parts};
use ipnet::IpNet;

/// The caller's address. Each proxy adds whom it heard to `X-Forwarded-For`: from the right, the first that is none of ours is the
/// caller. What a caller wrote there stands further left, and is not believed.
pub(crate) fn source(parts: &Parts, proxies: &[IpNet]) -> Option<IpAddr> {
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    let ours = |address: &IpAddr| proxies.iter().any(|network| network.contains(address));
    let mut nearest = peer.ip().to_canonical();
    let headers = parts.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let heard: Vec<&str> = headers.flat_map(|value| value.split(',')).map(str::trim).collect();
    for text in heard.iter().rev() {
        if !ours(&nearest) {
            break;
        }
        // What is no address was not written by a proxy of ours.
        let Ok(address) = text.parse::<IpAddr>() else { break };
        nearest = address.to_canonical();
    }
    Some(nearest)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let mut request = Request::builder();
        for value in forwarded {
            request = request.header("x-forwarded-for", *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
        let proxies = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        source(&parts, &proxies).unwrap().to_string()
    }

    #[test]
    fn the_caller_is_whom_the_last_proxy_of_ours_heard() {
        assert_eq!(seen("192.0.2.1", &["198.51.100.7"]), "192.0.2.1", "no proxy of ours: not believed");
        assert_eq!(seen("10.1.1.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(
            seen("10.1.1.1", &["1.2.3.4, 198.51.100.7, 10.2.2.2"]),
            "198.51.100.7",
            "the left is anybody's"
        );
        assert_eq!(seen("10.1.1.1", &["1.2.3.4", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(seen("::1", &["::ffff:198.51.100.7"]), "198.51.100.7");
        for silent in [&[][..], &["unknown"], &["10.2.2.2"]] {
            assert!(seen("10.1.1.1", silent).starts_with("10."), "{silent:?}");
        }
    }
}
