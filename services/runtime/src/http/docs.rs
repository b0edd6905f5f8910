//! `/openapi.json`, and Swagger UI at `/docs` from files within the binary, so that it works offline. They are compressed there, which is a
//! megabyte and a half of every binary, and go to browsers as they are.

use std::io::Read;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use flate2::read::GzDecoder;
use odd_contracts::Role;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, Url};

use crate::error::ServeError;
use crate::problem::ApiError;

const OPENAPI: &str = "/openapi.json";

type Ui = Arc<Config<'static>>;

pub(super) fn routes(role: Role, openapi: &OpenApi) -> Result<Router, ServeError> {
    let document = Bytes::from(serde_json::to_vec(openapi).map_err(ServeError::OpenApi)?);
    let ui: Ui = Arc::new(Config::new([Url::with_primary(role.name(), OPENAPI, true)]));
    Ok(Router::new()
        .route(
            OPENAPI,
            get(async move || ([(CONTENT_TYPE, "application/json")], document.clone())),
        )
        .route("/docs", get(async || Redirect::permanent("/docs/")))
        .route(
            "/docs/",
            get(async |State(ui): State<Ui>, headers: HeaderMap| file("", ui, &headers)),
        )
        .route(
            "/docs/{*path}",
            get(
                async |Path(path): Path<String>, State(ui): State<Ui>, headers: HeaderMap| {
                    file(&path, ui, &headers)
                },
            ),
        )
        .with_state(ui))
}

fn file(path: &str, ui: Ui, asked: &HeaderMap) -> Response {
    let file = match utoipa_swagger_ui::serve(path, ui) {
        Ok(Some(file)) => file,
        Ok(None) => return ApiError::not_found(format!("there is nothing at /docs/{path}")).into_response(),
        Err(error) => return ApiError::internal(&error).into_response(),
    };
    let headers = [
        (CONTENT_TYPE, file.content_type),
        (CACHE_CONTROL, "no-cache".to_owned()),
        (VARY, ACCEPT_ENCODING.to_string()),
    ];
    let bytes = file.bytes.into_owned();
    if !file.gzpipped {
        return (headers, bytes).into_response();
    }
    if takes_gzip(asked) {
        return (headers, [(CONTENT_ENCODING, "gzip")], bytes).into_response();
    }
    let mut plain = Vec::new();
    match GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain) {
        Ok(_) => (headers, plain).into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

/// Whether the answer may be compressed: `gzip` is among what is taken, and not at weight 0 (RFC 9110, section 12.5.3).
fn takes_gzip(asked: &HeaderMap) -> bool {
    let values = asked.get_all(ACCEPT_ENCODING);
    let mut codings = values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight
            .split_once('=')
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
        let weight = weight.and_then(|(_, weight)| weight.trim().parse().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.unwrap_or(1.0) > 0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_files_go_to_those_who_take_them() {
        let takes = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, value.parse().unwrap());
            takes_gzip(&headers)
        };
        assert!(takes("gzip, deflate, br, zstd") && takes("br;q=1.0, GZIP;q=0.5"));
        assert!(!takes("identity") && !takes("gzip;Q=0") && !takes("br"));
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
