//! Pulls an image, layer by layer, and tells what went wrong where it is not to be had.

use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::StreamExt;

use super::{ImageError, ImageState, Tell, login};

/// Time in which the engine says something while it pulls. It repeats a layer's progress much more often.
const LIMIT: Duration = Duration::from_secs(180);

/// Pulls an image, of a platform such as `linux/amd64` where one is given.
pub(super) async fn pull(
    docker: &Docker,
    reference: &str,
    platform: Option<&str>,
    tell: &Tell,
) -> Result<(), ImageError> {
    tell.state(reference, ImageState::Pulling);
    let credentials = login::credentials(reference).await;
    let tagged = tagged(reference);
    let mut options = CreateImageOptionsBuilder::new().from_image(&tagged);
    if let Some(platform) = platform {
        options = options.platform(platform);
    }
    let mut layers = docker.create_image(Some(options.build()), None, credentials);
    loop {
        let info = match tokio::time::timeout(LIMIT, layers.next()).await {
            Err(_) => {
                return Err(ImageError::NoRegistry {
                    reference: reference.to_owned(),
                    reason: format!("nothing has come for {} s", LIMIT.as_secs()),
                });
            }
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(ImageError::of_pull(reference, error)),
            Ok(Some(Ok(info))) => info,
        };
        if let Some(reason) = info.error_detail.and_then(|detail| detail.message) {
            return Err(ImageError::of_pull(
                reference,
                Error::DockerStreamError { error: reason },
            ));
        }
        // Lines about the whole image carry its tag, or nothing, where those of a layer carry its id.
        let layer = info.id.filter(|id| !tagged.ends_with(&format!(":{id}")));
        let (current, total) = info
            .progress_detail
            .map_or((None, None), |detail| (detail.current, detail.total));
        tell.layer(reference, layer, info.status, current, total);
    }
    tell.state(reference, ImageState::Ready);
    Ok(())
}

/// With a tag: without one the engine would take every tag there is.
pub(super) fn tagged(reference: &str) -> String {
    let name = reference.rsplit('/').next().unwrap_or(reference);
    match name.contains([':', '@']) {
        true => reference.to_owned(),
        false => format!("{reference}:latest"),
    }
}

/// What an engine's words mean, which are those of the registry or of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    NoRegistry,
    NotFound,
    Denied,
    RateLimited,
    NoSpace,
    Other,
}

/// Reads an engine's words on a pull that failed.
pub(super) fn meaning(words: &str) -> Meaning {
    let words = words.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if has(&["no space left on device"]) {
        Meaning::NoSpace
    } else if has(&["toomanyrequests", "too many requests", "rate limit"]) {
        Meaning::RateLimited
    } else if has(&[
        "unauthorized",
        "authentication required",
        "no basic auth",
        "denied",
        "forbidden",
    ]) {
        Meaning::Denied
    } else if has(&[
        "manifest unknown",
        "name unknown",
        "not found",
        "no matching manifest",
        "does not exist",
    ]) {
        Meaning::NotFound
    } else if has(&[
        "no such host",
        "dial tcp",
        "i/o timeout",
        "timeout",
        "timed out",
        "deadline exceeded",
        "connection refused",
        "connection reset",
        "network is unreachable",
        "no route to host",
        "proxyconnect",
        "tls handshake",
        "x509",
        "server misbehaving",
        "temporary failure in name resolution",
        "request canceled while waiting",
        ": eof",
        "bad gateway",
        "service unavailable",
    ]) {
        Meaning::NoRegistry
    } else {
        Meaning::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_engines_and_registries() {
        for (words, expected) in [
            (
                "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io on 1.1.1.1:53: no such host",
                Meaning::NoRegistry,
            ),
            (
                "Get \"https://registry-1.docker.io/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
                Meaning::NoRegistry,
            ),
            (
                "Get \"https://r/v2/\": proxyconnect tcp: dial tcp 10.0.0.1:3128: connect: connection refused",
                Meaning::NoRegistry,
            ),
            (
                "Get \"https://r/v2/\": x509: certificate signed by unknown authority",
                Meaning::NoRegistry,
            ),
            (
                "manifest for redis:99 not found: manifest unknown: manifest unknown",
                Meaning::NotFound,
            ),
            (
                "no matching manifest for linux/arm64/v8 in the manifest list entries",
                Meaning::NotFound,
            ),
            (
                "pull access denied for x, repository does not exist or may require 'docker login'",
                Meaning::Denied,
            ),
            ("unauthorized: authentication required", Meaning::Denied),
            (
                "toomanyrequests: You have reached your pull rate limit.",
                Meaning::RateLimited,
            ),
            (
                "write /var/lib/docker/tmp/x: no space left on device",
                Meaning::NoSpace,
            ),
            ("invalid reference format", Meaning::Other),
        ] {
            assert_eq!(meaning(words), expected, "{words}");
        }
    }

    #[test]
    fn every_pull_names_one_image() {
        for (reference, expected) in [
            ("redis", "redis:latest"),
            ("redis:8", "redis:8"),
            ("localhost:5000/x", "localhost:5000/x:latest"),
            ("r.example/x/y@sha256:00", "r.example/x/y@sha256:00"),
        ] {
            assert_eq!(tagged(reference), expected);
        }
    }
}
