//! The page and its parts, out of the binary: what `services/web/ui` was built into, or a plain page where it was not built.

mod plain;
mod site;

use std::io::Write;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use odd_contracts::VERSION;
use sha2::{Digest, Sha256};

/// Only what comes from here, no script but that of the files, no markup made of text, and in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types 'none'";
/// Bytes below which compression gains nothing.
const SMALL: usize = 1_024;

/// One file as it is kept.
struct File {
    /// Where it is, such as `/assets/page.css`.
    path: String,
    content_type: &'static str,
    bytes: Bytes,
    /// Whether its name changes with what is in it.
    is_immutable: bool,
}

/// Routes of the page.
pub(crate) fn routes() -> Router {
    let mut router = Router::new();
    for file in site::files().unwrap_or_else(plain::files) {
        let path = file.path.clone();
        let served = Arc::new(Served::new(file));
        let answer = async move |headers: HeaderMap| served.answer(&headers);
        router = router.route(&path, get(answer));
    }
    router
}

/// A file in the representations that it goes out in.
struct Served {
    file: File,
    plain: Representation,
    /// Made when it is first asked for; none where it gains nothing.
    compressed: OnceLock<Option<Representation>>,
}

struct Representation {
    etag: HeaderValue,
    bytes: Bytes,
}

impl Served {
    fn new(file: File) -> Self {
        let plain = Representation {
            etag: etag(&file.bytes, ""),
            bytes: file.bytes.clone(),
        };
        Self {
            file,
            plain,
            compressed: OnceLock::new(),
        }
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        let compressed = if takes_gzip(asked) {
            self.compressed.get_or_init(|| compressed(&self.file)).as_ref()
        } else {
            None
        };
        let chosen = compressed.unwrap_or(&self.plain);
        let cache = if self.file.is_immutable {
            "public, max-age=31536000, immutable"
        } else {
            // Browsers ask each time whether they have the latest, so that page and parts are always of one version.
            "no-cache"
        };
        let headers = [
            (ETAG, chosen.etag.clone()),
            (CACHE_CONTROL, HeaderValue::from_static(cache)),
            (VARY, HeaderValue::from_static("accept-encoding")),
            (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (
                HeaderName::from_static("cross-origin-opener-policy"),
                HeaderValue::from_static("same-origin"),
            ),
        ];
        if is_known(asked, &chosen.etag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let content_type = [(CONTENT_TYPE, self.file.content_type)];
        let encoding = compressed.map(|_| [(CONTENT_ENCODING, "gzip")]);
        (headers, content_type, encoding, chosen.bytes.clone()).into_response()
    }
}

fn compressed(file: &File) -> Option<Representation> {
    if file.bytes.len() < SMALL {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // A vector takes everything.
    encoder.write_all(&file.bytes).ok()?;
    let bytes = encoder.finish().ok()?;
    (bytes.len() < file.bytes.len()).then(|| Representation {
        etag: etag(&file.bytes, "-gzip"),
        bytes: bytes.into(),
    })
}

/// Strong, of the content, the version and the encoding.
fn etag(bytes: &[u8], encoding: &str) -> HeaderValue {
    let digest = Sha256::new().chain_update(VERSION).chain_update(bytes).finalize();
    let text: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{text}{encoding}\"")).expect("digits in quotes are a header value")
}

/// Whether the client takes gzip (RFC 9110, 12.5.3: a weight of nought forbids it).
fn takes_gzip(asked: &HeaderMap) -> bool {
    let values = asked.get_all(ACCEPT_ENCODING).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let weight = weight.trim().trim_start_matches("q=").trim();
            let is_forbidden = weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0);
            name.trim().eq_ignore_ascii_case("gzip") && !is_forbidden
        })
}

/// Whether the client has it already (RFC 9110, 13.1.2: a weak comparison).
fn is_known(asked: &HeaderMap, etag: &HeaderValue) -> bool {
    let known = |tag: &str| tag == "*" || tag.trim_start_matches("W/").as_bytes() == etag.as_bytes();
    asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| known(tag.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn tags_are_compared_as_the_protocol_says() {
        let etag = etag(b"x", "");
        let tag = etag.to_str().unwrap();
        let known = |value: &str| is_known(&headers(IF_NONE_MATCH, value), &etag);
        assert!(known(tag) && known("*") && known(&format!("W/{tag}")) && known(&format!("\"a\", {tag}")));
        assert!(!known("\"a\"") && !known(&tag[1..]));
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        let takes = |value: &str| takes_gzip(&headers(ACCEPT_ENCODING, value));
        assert!(takes("gzip") && takes("br, GZIP;q=0.5") && takes("deflate,gzip ; q=1"));
        assert!(!takes("br") && !takes("gzip;q=0") && !takes("gzip; q=0.000") && !takes("x-gzip"));
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn each_representation_has_a_tag_of_its_own() {
        let served = |bytes: Vec<u8>| {
            Served::new(File {
                path: "/x".to_owned(),
                content_type: "text/plain",
                bytes: bytes.into(),
                is_immutable: false,
            })
        };
        let asked = headers(ACCEPT_ENCODING, "gzip");
        let text = served(b"the same again ".repeat(1_000));
        let (packed, plain) = (text.answer(&asked), text.answer(&HeaderMap::new()));
        assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip");
        assert!(!plain.headers().contains_key(CONTENT_ENCODING));
        assert_ne!(packed.headers()[ETAG], plain.headers()[ETAG]);
        assert!(
            !served(b"short".to_vec())
                .answer(&asked)
                .headers()
                .contains_key(CONTENT_ENCODING)
        );
    }
}
