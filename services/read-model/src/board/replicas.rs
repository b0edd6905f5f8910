//! Which processes stand behind the address of a role.
//!
//! Within a stack a role's name has one address for each of its containers. Asking the name would ask any one of them, so
//! that one that is not ready is seen now and then: instead each is asked, every time.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use odd_contracts::api::{HealthState, Replicas};
use reqwest::Url;

use super::poll::Asked;

/// Most processes of one role that are asked.
const MOST: usize = 64;
/// Longest wait for the addresses of a name.
const LOOK_UP_LIMIT: Duration = Duration::from_secs(2);

/// Base address of each process behind `url`, where its name has several; else none, and the name is as good.
pub(super) async fn of(url: &str) -> Vec<String> {
    let Some((url, name, port)) = named(url) else {
        return Vec::new();
    };
    let looked_up = tokio::time::timeout(LOOK_UP_LIMIT, tokio::net::lookup_host((name, port))).await;
    let Ok(Ok(addresses)) = looked_up else {
        // Asking the name tells why it leads nowhere.
        return Vec::new();
    };
    let addresses = one_family(addresses);
    if addresses.len() < 2 {
        return Vec::new();
    }
    let bases = addresses
        .into_iter()
        .take(MOST)
        .filter_map(|address| at(&url, address));
    bases.collect()
}

/// An address with a name that may have several.
fn named(url: &str) -> Option<(Url, String, u16)> {
    let url = Url::parse(url).ok()?;
    let name = url.host_str()?.to_owned();
    let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    // This machine's own name has an address of each family, and one process behind both.
    if is_address || name == "localhost" || name.ends_with(".localhost") {
        return None;
    }
    let port = url.port_or_known_default()?;
    Some((url, name, port))
}

/// A process may have an address of each family; it is not to be counted twice.
fn one_family(addresses: impl Iterator<Item = SocketAddr>) -> BTreeSet<IpAddr> {
    let all: BTreeSet<IpAddr> = addresses.map(|address| address.ip()).collect();
    let old: BTreeSet<IpAddr> = all.iter().filter(|address| address.is_ipv4()).copied().collect();
    if old.is_empty() { all } else { old }
}

fn at(url: &Url, address: IpAddr) -> Option<String> {
    let mut url = url.clone();
    url.set_ip_host(address).ok()?;
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// What the processes of a role said, as one: it is degraded where one of them is not healthy, and as bad as the best
/// of them where none is ready.
pub(super) fn together(answers: Vec<(String, Asked)>) -> (Asked, Replicas) {
    let total = answers.len();
    let version = answers.iter().find_map(|(_, asked)| asked.version.clone());
    let best = answers.iter().map(|(_, asked)| asked.state).min();
    let unwell: Vec<_> = answers
        .iter()
        .filter(|(_, asked)| asked.state != HealthState::Healthy)
        .map(|(base, asked)| format!("{base}: {}", asked.detail.as_deref().unwrap_or("not ready")))
        .collect();
    let ready = total - unwell.len();
    let asked = Asked {
        state: match best {
            Some(HealthState::Healthy) if unwell.is_empty() => HealthState::Healthy,
            Some(HealthState::Healthy) => HealthState::Degraded,
            Some(best) => best,
            None => HealthState::Down,
        },
        version,
        detail: (!unwell.is_empty()).then(|| {
            format!(
                "{} of {total} replicas not ready: {}",
                unwell.len(),
                unwell.join("; ")
            )
        }),
    };
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let replicas = Replicas {
        total: count(total),
        ready: count(ready),
    };
    (asked, replicas)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(state: HealthState, detail: Option<&str>) -> (String, Asked) {
        let asked = Asked {
            state,
            version: Some("1".to_owned()),
            detail: detail.map(str::to_owned),
        };
        ("http://10.0.0.1:3010".to_owned(), asked)
    }

    #[test]
    fn each_process_is_counted_once() {
        let addresses = [
            "10.0.0.2:1",
            "[fd00::2]:1",
            "10.0.0.1:1",
            "10.0.0.2:1",
            "[fd00::1]:1",
        ];
        let one = one_family(addresses.iter().map(|text| text.parse().unwrap()));
        let texts: Vec<_> = one.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["10.0.0.1", "10.0.0.2"]);
        let six = one_family(addresses[4..].iter().map(|text| text.parse().unwrap()));
        assert_eq!(six.len(), 1);
    }

    #[test]
    fn only_names_are_looked_up() {
        for url in [
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "http://localhost:1",
            "nonsense",
        ] {
            assert!(named(url).is_none(), "{url}");
        }
        let (url, name, port) = named("http://processor:3010/base").unwrap();
        assert_eq!((name.as_str(), port), ("processor", 3010));
        assert_eq!(
            at(&url, "10.0.0.1".parse().unwrap()).unwrap(),
            "http://10.0.0.1:3010/base"
        );
        assert_eq!(
            at(&url, "fd00::1".parse().unwrap()).unwrap(),
            "http://[fd00::1]:3010/base"
        );
    }

    #[test]
    fn one_that_is_not_ready_makes_the_role_degraded_and_all_make_it_as_bad_as_the_best() {
        use HealthState::{Degraded, Down, Healthy};
        let of = |states: &[HealthState]| {
            let answers = states
                .iter()
                .map(|state| asked(*state, (*state != Healthy).then_some("draining")))
                .collect();
            let (asked, replicas) = together(answers);
            (asked.state, replicas.ready, replicas.total)
        };
        assert_eq!(of(&[Healthy, Healthy]), (Healthy, 2, 2));
        assert_eq!(of(&[Healthy, Down, Degraded]), (Degraded, 1, 3));
        assert_eq!(of(&[Down, Degraded]), (Degraded, 0, 2));
        assert_eq!(of(&[Down, Down]), (Down, 0, 2));
        let (one, _) = together(vec![asked(Healthy, None), asked(Down, Some("no connection"))]);
        assert_eq!(
            one.detail.unwrap(),
            "1 of 2 replicas not ready: http://10.0.0.1:3010: no connection"
        );
        assert_eq!(one.version.as_deref(), Some("1"));
    }
}
